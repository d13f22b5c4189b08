package test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"go-ai-proxy/translators/target"
)

// capability is one cell of the table that the code makes.
type capability struct{ streaming bool }

// capabilities are what each provider can do, by route type, as the operations say.
func capabilities(name string, options target.Options) map[string]capability {
	p, _ := serving(name, options)
	cells := map[string]capability{}
	for route, op := range p.Operations {
		cells[string(route)] = capability{streaming: !op.NoStream}
	}
	if cells["llm/v1/chat"] != (capability{}) {
		if _, ok := cells["llm/v1/responses"]; !ok {
			cells["llm/v1/responses"] = cells["llm/v1/chat"] // answered through chat
		}
	}
	return cells
}

// kongNames are the rows of Kong's matrix and our providers.
var kongNames = map[string]string{
	"Amazon Bedrock": "bedrock", "Anthropic": "anthropic", "Azure": "azure", "Cerebras": "cerebras", "Cohere": "cohere", "Dashscope": "dashscope",
	"Gemini": "gemini", "Gemini Vertex": "gemini (Vertex)", "Hugging Face": "huggingface", "Llama2": "llama2 (openai)", "Mistral": "mistral",
	"Ollama": "ollama", "OpenAI": "openai", "vLLM": "vllm", "xAI": "xai", "Databricks": "databricks", "DeepSeek": "deepseek",
}

// kongCells are the columns of Kong's matrix and our route types.
var kongCells = map[string]string{
	"chat": "llm/v1/chat", "function_calling": "llm/v1/chat", "completions": "llm/v1/completions", "embeddings": "llm/v1/embeddings",
	"files": "llm/v1/files", "batches": "llm/v1/batches", "assistants": "llm/v1/assistants", "responses": "llm/v1/responses",
	"audio/speech": "audio/v1/audio/speech", "audio/transcriptions": "audio/v1/audio/transcriptions", "audio/translations": "audio/v1/audio/translations",
	"image/generations": "image/v1/images/generations", "image/edits": "image/v1/images/edits", "video/generations": "video/v1/videos/generations",
	"realtime": "realtime/v1/realtime",
}

// wrong are the cells that Kong's documentation has wrong, or that say
// something else than they seem to, with the reason.
var wrong = map[string]string{
	"Amazon Bedrock files":             "Bedrock has no API for files, as the cell's own note says: a batch names its file by S3 URI",
	"Gemini Vertex files":              "Vertex has none either: a batch names its file by gs:// URI",
	"Gemini files":                     "in Gemini's own format, as the note says; here the content of a batch's output, too",
	"Anthropic batches streaming":      "a batch is no stream; the results are lines",
	"Gemini Vertex realtime":           "not in the matrix; Google documents the Live API for Vertex AI",
	"xAI chat streaming":               "the matrix says no; the API streams",
	"vLLM responses":                   "answered through chat",
	"Azure video/generations":          "the path is that of models before Sora 2, for which Microsoft documents /openai/v1/videos",
	"Dashscope image/edits":            "image2image/image-synthesis makes a task; qwen-image-edit, the model in Alibaba's documentation, answers at multimodal-generation",
	"Hugging Face video/generations":   "as the matrix says; Hugging Face itself documents text-to-video below a provider's path only",
	"Gemini Vertex embeddings":         "the matrix names generateContent; it is predict, or embedContent for newer models",
	"OpenAI video/generations":         "the matrix names the path of images; it is /v1/videos",
	"Mistral completions":              "not in the matrix; kept for upstream_url",
	"Amazon Bedrock image/generations": "statistics: nobody counts tokens",
}

func TestEveryCellOfKongsMatrixWorks(t *testing.T) {
	const file = "../../shared/spec/data/kong-docs-provider-matrix/ai-proxy.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Skip("Kong's matrix is not here: ", err)
	}
	var matrix struct {
		Providers []map[string]any `yaml:"providers"`
	}
	if err := yaml.Unmarshal(text, &matrix); err != nil {
		t.Fatal(err)
	}
	rows := map[string]map[string]capability{}
	for _, v := range variants() {
		rows[v.name] = capabilities(v.provider, v.options)
	}
	seen := 0
	for _, row := range matrix.Providers {
		kong, _ := row["name"].(string)
		ours, ok := rows[kongNames[kong]]
		if !ok {
			t.Errorf("%s is not one of our providers", kong)
			continue
		}
		for column, cell := range cellsOf(row) {
			route := kongCells[column]
			if route == "" {
				t.Errorf("%s: the column %s is not known here", kong, column)
				continue
			}
			seen++
			where := kong + " " + column
			got, can := ours[route]
			switch {
			case cell.supported && !can && wrong[where] == "":
				t.Errorf("%s: Kong supports it", where)
			case cell.streaming && can && !got.streaming && wrong[where+" streaming"] == "":
				t.Errorf("%s: Kong streams it", where)
			case !cell.supported && can && wrong[where] == "" && column != "responses":
				t.Logf("%s: beyond Kong", where)
			}
		}
	}
	if seen < 90 {
		t.Errorf("the matrix has %d cells only", seen)
	}
}

type cell struct{ supported, streaming bool }

// cellsOf are a row's cells, those of groups (audio, image, video) by "group/name".
func cellsOf(row map[string]any) map[string]cell {
	cells := map[string]cell{}
	add := func(name string, v any) bool {
		m, ok := v.(map[string]any)
		supported, is := m["supported"].(bool)
		if !ok || !is {
			return false
		}
		streaming, _ := m["streaming"].(bool)
		cells[name] = cell{supported, streaming && supported}
		return true
	}
	for name, v := range row {
		if add(name, v) {
			continue
		}
		if group, ok := v.(map[string]any); ok {
			for _, inner := range slices.Sorted(maps.Keys(group)) {
				add(name+"/"+inner, group[inner])
			}
		}
	}
	return cells
}

// The whole table has no cell that cannot be reached: every operation has a
// path for its target, or makes its paths itself.
func TestEveryOperationHasAPath(t *testing.T) {
	for _, v := range variants() {
		p, tt := serving(v.provider, v.options)
		for route, op := range p.Operations {
			tt.Route = route
			if op.Path == nil {
				t.Errorf("%s %s has no path", v.name, route)
				continue
			}
			path, err := op.Path(tt, !op.NoStream)
			if err != nil || !strings.HasPrefix(path, "/") {
				t.Errorf("%s", fmt.Sprint(v.name, " ", route, ": ", path, " ", err))
			}
		}
	}
}
