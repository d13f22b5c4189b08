package openai

import "go-ai-proxy/translators/provider"

// The families of REST operations that clients may call.
// https://platform.openai.com/docs/api-reference

var (
	clientFiles = provider.Resources{
		Names:   []string{"files"},
		Allowed: map[string][]string{"": {"GET", "POST"}, "/{}": {"GET", "DELETE"}, "/{}/content": {"GET"}},
		IDs:     []provider.IDPrefix{{Prefix: "file-", Name: "files"}, {Prefix: "file_", Name: "files"}, {Prefix: "assistant-", Name: "files"}},
		Output:  batchOutput,
	}
	clientBatches = provider.Resources{
		Names:   []string{"batches"},
		Allowed: map[string][]string{"": {"GET", "POST"}, "/{}": {"GET"}, "/{}/cancel": {"POST"}},
		IDs:     []provider.IDPrefix{{Prefix: "batch_", Name: "batches"}},
	}
	clientAssistants = provider.Resources{
		Names: []string{"assistants", "threads"},
		Allowed: map[string][]string{
			"": {"GET", "POST"}, "/{}": {"GET", "POST", "DELETE"},
			"/runs": {"POST"}, "/{}/messages": {"GET", "POST"}, "/{}/messages/{}": {"GET", "POST", "DELETE"},
			"/{}/runs": {"GET", "POST"}, "/{}/runs/{}": {"GET", "POST"}, "/{}/runs/{}/cancel": {"POST"},
			"/{}/runs/{}/submit_tool_outputs": {"POST"}, "/{}/runs/{}/steps": {"GET"}, "/{}/runs/{}/steps/{}": {"GET"},
		},
		IDs: []provider.IDPrefix{{Prefix: "asst_", Name: "assistants"}, {Prefix: "thread_", Name: "threads"}},
	}
	clientResponses = provider.Resources{
		Names: []string{"responses"},
		Allowed: map[string][]string{
			"": {"POST"}, "/{}": {"GET", "DELETE"}, "/{}/cancel": {"POST"}, "/{}/input_items": {"GET"},
			"/input_tokens": {"POST"}, "/compact": {"POST"},
		},
		APIs: map[string]*provider.API{"/input_tokens": {
			Format: provider.OpenAIInputTokens, Dialect: Responses, Count: appendTokens, Beside: provider.OpenAIResponses, Check: checkResponses,
		}},
		IDs: []provider.IDPrefix{{Prefix: "resp_", Name: "responses"}},
	}
	clientVideos = provider.Resources{
		Names: []string{"videos"},
		Allowed: map[string][]string{
			"": {"GET", "POST"}, "/{}": {"GET", "DELETE"}, "/{}/content": {"GET"}, "/{}/remix": {"POST"},
			"/edits": {"POST"}, "/extensions": {"POST"}, "/characters": {"POST"}, "/characters/{}": {"GET"},
		},
		IDs: []provider.IDPrefix{{Prefix: "video_", Name: "videos"}},
	}
	clientConversations = provider.Resources{
		Names: []string{"conversations"},
		Allowed: map[string][]string{
			"": {"POST"}, "/{}": {"GET", "POST", "DELETE"}, "/{}/items": {"GET", "POST"}, "/{}/items/{}": {"GET", "DELETE"},
		},
		IDs: []provider.IDPrefix{{Prefix: "conv_", Name: "conversations"}},
	}
	clientVectorStores = provider.Resources{
		Names: []string{"vector_stores"},
		Allowed: map[string][]string{
			"": {"GET", "POST"}, "/{}": {"GET", "POST", "DELETE"}, "/{}/search": {"POST"},
			"/{}/files": {"GET", "POST"}, "/{}/files/{}": {"GET", "POST", "DELETE"}, "/{}/files/{}/content": {"GET"},
			"/{}/file_batches": {"POST"}, "/{}/file_batches/{}": {"GET"}, "/{}/file_batches/{}/cancel": {"POST"}, "/{}/file_batches/{}/files": {"GET"},
		},
		IDs: []provider.IDPrefix{{Prefix: "vs_", Name: "vector_stores"}},
	}
	clientContainers = provider.Resources{
		Names: []string{"containers"},
		Allowed: map[string][]string{
			"": {"GET", "POST"}, "/{}": {"GET", "DELETE"}, "/{}/files": {"GET", "POST"}, "/{}/files/{}": {"GET", "DELETE"}, "/{}/files/{}/content": {"GET"},
		},
		IDs: []provider.IDPrefix{{Prefix: "cntr_", Name: "containers"}},
	}
	clientUploads = provider.Resources{
		Names:   []string{"uploads"},
		Allowed: map[string][]string{"": {"POST"}, "/{}/parts": {"POST"}, "/{}/complete": {"POST"}, "/{}/cancel": {"POST"}},
		IDs:     []provider.IDPrefix{{Prefix: "upload_", Name: "uploads"}},
	}
	clientSkills = provider.Resources{
		Names: []string{"skills"},
		Allowed: map[string][]string{
			"": {"GET", "POST"}, "/{}": {"GET", "POST", "DELETE"}, "/{}/content": {"GET"},
			"/{}/versions": {"GET", "POST"}, "/{}/versions/{}": {"GET", "DELETE"}, "/{}/versions/{}/content": {"GET"},
		},
		IDs: []provider.IDPrefix{{Prefix: "skill_", Name: "skills"}},
	}
)

// resource returns the API of a family that names no model. Forms pass unread.
func resource(format provider.Format, family *provider.Resources) *provider.API {
	return &provider.API{Format: format, Body: provider.TakeAny, Model: provider.ModelIgnored, Nested: true, Resources: family}
}
