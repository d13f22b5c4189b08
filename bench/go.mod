module go-ai-proxy/bench

go 1.26.0

require go-ai-proxy v0.0.0

replace go-ai-proxy => ..
