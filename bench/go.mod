module go-ai-proxy/bench

go 1.26.0
