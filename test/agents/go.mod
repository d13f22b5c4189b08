module go-ai-proxy/test/agents

go 1.26.0
