package mock

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// geminiRequest has every member of GenerateContentRequest; others are refused.
type geminiRequest struct {
	Contents          []geminiContent   `json:"contents"`
	SystemInstruction *geminiContent    `json:"systemInstruction"`
	Tools             []geminiTool      `json:"tools"`
	ToolConfig        *geminiToolConfig `json:"toolConfig"`
	SafetySettings    []struct {
		Category  string `json:"category"`
		Threshold string `json:"threshold"`
		Method    string `json:"method"`
	} `json:"safetySettings"`
	GenerationConfig *geminiConfig     `json:"generationConfig"`
	CachedContent    string            `json:"cachedContent"`
	Labels           map[string]string `json:"labels"`
	ServiceTier      string            `json:"serviceTier"`
}

type geminiContent struct {
	Role  string       `json:"role"`
	Parts []geminiPart `json:"parts"`
}

type geminiPart struct {
	Text                *string         `json:"text"`
	InlineData          *geminiBlob     `json:"inlineData"`
	FileData            *geminiFile     `json:"fileData"`
	FunctionCall        *geminiCall     `json:"functionCall"`
	FunctionResponse    *geminiAnswer   `json:"functionResponse"`
	ExecutableCode      json.RawMessage `json:"executableCode"`
	CodeExecutionResult json.RawMessage `json:"codeExecutionResult"`
	ToolCall            json.RawMessage `json:"toolCall"`
	ToolResponse        json.RawMessage `json:"toolResponse"`
	Thought             bool            `json:"thought"`
	ThoughtSignature    string          `json:"thoughtSignature"`
	VideoMetadata       json.RawMessage `json:"videoMetadata"`
	MediaResolution     json.RawMessage `json:"mediaResolution"`
}

type geminiBlob struct {
	MIMEType    string `json:"mimeType"`
	Data        blob   `json:"data"`
	DisplayName string `json:"displayName"`
}

type geminiFile struct {
	MIMEType    string `json:"mimeType"`
	FileURI     string `json:"fileUri"`
	DisplayName string `json:"displayName"`
}

type geminiCall struct {
	ID   string         `json:"id"`
	Name string         `json:"name"`
	Args map[string]any `json:"args"`
}

type geminiAnswer struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Response map[string]any `json:"response"`
	Parts    []struct {
		InlineData *geminiBlob `json:"inlineData"`
		FileData   *geminiFile `json:"fileData"`
	} `json:"parts"`
}

type geminiTool struct {
	FunctionDeclarations []struct {
		Name                 string          `json:"name"`
		Description          string          `json:"description"`
		Parameters           *geminiSchema   `json:"parameters"`
		ParametersJSONSchema json.RawMessage `json:"parametersJsonSchema"`
		Response             *geminiSchema   `json:"response"`
		ResponseJSONSchema   json.RawMessage `json:"responseJsonSchema"`
		Behavior             string          `json:"behavior"`
	} `json:"functionDeclarations"`
	GoogleSearch          json.RawMessage `json:"googleSearch"`
	GoogleSearchRetrieval json.RawMessage `json:"googleSearchRetrieval"`
	GoogleMaps            json.RawMessage `json:"googleMaps"`
	CodeExecution         json.RawMessage `json:"codeExecution"`
	URLContext            json.RawMessage `json:"urlContext"`
	FileSearch            json.RawMessage `json:"fileSearch"`
	ComputerUse           json.RawMessage `json:"computerUse"`
	Retrieval             json.RawMessage `json:"retrieval"`
	EnterpriseWebSearch   json.RawMessage `json:"enterpriseWebSearch"`
}

type geminiToolConfig struct {
	// IncludeServerSideToolInvocations joins functions and tools of Google's.
	// https://ai.google.dev/gemini-api/docs/tool-combination
	IncludeServerSideToolInvocations bool `json:"includeServerSideToolInvocations"`
	FunctionCallingConfig            *struct {
		Mode                 string   `json:"mode"`
		AllowedFunctionNames []string `json:"allowedFunctionNames"`
	} `json:"functionCallingConfig"`
	RetrievalConfig json.RawMessage `json:"retrievalConfig"`
}

type geminiConfig struct {
	MaxOutputTokens    *int            `json:"maxOutputTokens"`
	Temperature        *float64        `json:"temperature"`
	TopP               *float64        `json:"topP"`
	TopK               *float64        `json:"topK"`
	CandidateCount     *int            `json:"candidateCount"`
	Seed               *int32          `json:"seed"`
	PresencePenalty    *float64        `json:"presencePenalty"`
	FrequencyPenalty   *float64        `json:"frequencyPenalty"`
	StopSequences      []string        `json:"stopSequences"`
	ResponseLogprobs   bool            `json:"responseLogprobs"`
	Logprobs           *int            `json:"logprobs"`
	ResponseMIMEType   string          `json:"responseMimeType"`
	ResponseSchema     *geminiSchema   `json:"responseSchema"`
	ResponseJSONSchema json.RawMessage `json:"responseJsonSchema"`
	ResponseModalities []string        `json:"responseModalities"`
	SpeechConfig       json.RawMessage `json:"speechConfig"`
	ImageConfig        json.RawMessage `json:"imageConfig"`
	MediaResolution    string          `json:"mediaResolution"`
	AudioTimestamp     bool            `json:"audioTimestamp"`
	ThinkingConfig     *struct {
		IncludeThoughts bool   `json:"includeThoughts"`
		ThinkingBudget  *int   `json:"thinkingBudget"`
		ThinkingLevel   string `json:"thinkingLevel"`
	} `json:"thinkingConfig"`
}

// geminiSchema is Google's part of OpenAPI's schema.
type geminiSchema struct {
	Type             string                   `json:"type"`
	Format           string                   `json:"format"`
	Title            string                   `json:"title"`
	Description      string                   `json:"description"`
	Nullable         bool                     `json:"nullable"`
	Enum             []string                 `json:"enum"`
	Items            *geminiSchema            `json:"items"`
	MaxItems         json.RawMessage          `json:"maxItems"`
	MinItems         json.RawMessage          `json:"minItems"`
	Properties       map[string]*geminiSchema `json:"properties"`
	Required         []string                 `json:"required"`
	MinProperties    json.RawMessage          `json:"minProperties"`
	MaxProperties    json.RawMessage          `json:"maxProperties"`
	MinLength        json.RawMessage          `json:"minLength"`
	MaxLength        json.RawMessage          `json:"maxLength"`
	Pattern          string                   `json:"pattern"`
	Example          any                      `json:"example"`
	AnyOf            []*geminiSchema          `json:"anyOf"`
	PropertyOrdering []string                 `json:"propertyOrdering"`
	Default          any                      `json:"default"`
	Minimum          *float64                 `json:"minimum"`
	Maximum          *float64                 `json:"maximum"`
}

var (
	geminiPath     = regexp.MustCompile(`^(/v1beta/models/|/v1(beta1)?/projects/[^/]+/locations/[^/]+/publishers/google/models/)([^/:]+):[a-zA-Z]+$`)
	geminiFunction = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.:-]{0,127}$`)
)

// Check refuses what Google refuses. It does not ask for a key.
func (geminiGenerate) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	path := geminiPath.FindStringSubmatch(r.URL.Path)
	if path == nil {
		return fmt.Errorf("path %s: not found", r.URL.Path)
	}
	var q geminiRequest
	if err := decodeStrict(inCamelCase(body), &q); err != nil {
		return fmt.Errorf("invalid JSON payload received: %w", err)
	}
	onVertex := path[1] != "/v1beta/models/"
	if onVertex && q.ServiceTier != "" || !onVertex && q.Labels != nil {
		return errors.New("invalid JSON payload received: unknown name \"serviceTier\" or \"labels\"")
	}
	if q.SystemInstruction != nil && (len(q.SystemInstruction.Parts) == 0 || q.SystemInstruction.Parts[0].Text == nil) {
		return errors.New("system_instruction.parts: must hold text")
	}
	if err := q.checkContents(onVertex, strings.HasPrefix(path[3], "gemini-3")); err != nil {
		return err
	}
	if err := q.checkTools(); err != nil {
		return err
	}
	return q.GenerationConfig.check()
}

// checkContents checks the order of calls and responses: the turn after a model's turn
// with calls must answer each of them.
func (q *geminiRequest) checkContents(onVertex, signed bool) error {
	if len(q.Contents) == 0 {
		return errors.New("GenerateContentRequest.contents: contents is not specified")
	}
	if q.Contents[0].Role != "user" {
		return errors.New("contents[0].role: the first turn must be the user's")
	}
	var open []*geminiCall
	for i := range q.Contents {
		c := &q.Contents[i]
		at := fmt.Sprintf("GenerateContentRequest.contents[%d]", i)
		if c.Role != "user" && c.Role != "model" {
			return fmt.Errorf("%s.role: please use a valid role: user, model", at)
		}
		if len(c.Parts) == 0 {
			return fmt.Errorf("%s.parts: contents.parts must not be empty", at)
		}
		calls, answers, err := c.parts(at, onVertex)
		if err != nil {
			return err
		}
		if err := pairCalls(open, answers); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		if signed && len(calls) > 0 && !c.signed() {
			return fmt.Errorf("%s: Function call is missing a thought_signature", at)
		}
		open = calls
	}
	if len(open) > 0 {
		return errors.New("contents: the last function calls have no response")
	}
	return nil
}

// parts checks a turn's parts and returns its calls and responses.
func (c *geminiContent) parts(at string, onVertex bool) (calls []*geminiCall, answers []*geminiAnswer, err error) {
	for j := range c.Parts {
		p := &c.Parts[j]
		if err := p.check(c.Role, onVertex); err != nil {
			return nil, nil, fmt.Errorf("%s.parts[%d]: %w", at, j, err)
		}
		if p.FunctionCall != nil {
			calls = append(calls, p.FunctionCall)
		}
		if p.FunctionResponse != nil {
			answers = append(answers, p.FunctionResponse)
		}
	}
	return calls, answers, nil
}

// signed reports whether the first call has a signature.
func (c *geminiContent) signed() bool {
	for i := range c.Parts {
		if c.Parts[i].FunctionCall != nil {
			return c.Parts[i].ThoughtSignature != ""
		}
	}
	return true
}

// pairCalls pairs calls and responses: in order, by name and, where both have
// one, by id.
func pairCalls(calls []*geminiCall, answers []*geminiAnswer) error {
	if len(calls) != len(answers) {
		return errors.New("please ensure that the number of function response parts is equal to the number of function call parts of the function call turn")
	}
	for i, a := range answers {
		if calls[i].Name != a.Name || calls[i].ID != a.ID {
			return fmt.Errorf("function response %d is for %s (%s), the call is %s (%s)", i, a.Name, a.ID, calls[i].Name, calls[i].ID)
		}
	}
	return nil
}

func (p *geminiPart) check(role string, onVertex bool) error {
	data := 0
	for _, has := range []bool{p.Text != nil, p.InlineData != nil, p.FileData != nil, p.FunctionCall != nil, p.FunctionResponse != nil, p.ExecutableCode != nil, p.CodeExecutionResult != nil, p.ToolCall != nil, p.ToolResponse != nil} {
		if has {
			data++
		}
	}
	switch {
	case data != 1:
		return errors.New("required oneof field 'data' must have one initialized field")
	case p.InlineData != nil && (p.InlineData.MIMEType == "" || len(p.InlineData.Data) == 0):
		return errors.New("inline_data: wants mimeType and data")
	case p.FileData != nil && p.FileData.FileURI == "":
		return errors.New("file_data.file_uri: missing")
	case p.FunctionCall != nil && (role != "model" || p.FunctionCall.Name == ""):
		return errors.New("function_call: wants a name, in a turn of the model")
	case p.FunctionResponse != nil && (role != "user" || p.FunctionResponse.Name == "" || p.FunctionResponse.Response == nil):
		return errors.New("function_response: wants name and response, in a turn of the user")
	case onVertex && (p.FunctionCall != nil && p.FunctionCall.ID != "" || p.FunctionResponse != nil && p.FunctionResponse.ID != ""):
		return errors.New("unknown name \"id\": cannot find field")
	case p.Thought && role != "model":
		return errors.New("thought: in a turn of the user")
	}
	return nil
}

func (q *geminiRequest) checkTools() error {
	declared := map[string]bool{}
	for i, t := range q.Tools {
		for j, f := range t.FunctionDeclarations {
			at := fmt.Sprintf("tools[%d].function_declarations[%d]", i, j)
			switch {
			case !geminiFunction.MatchString(f.Name):
				return fmt.Errorf("%s.name: Invalid function name", at)
			case declared[f.Name]:
				return fmt.Errorf("%s.name: Duplicate function declaration found: %s", at, f.Name)
			case f.Parameters != nil && f.ParametersJSONSchema != nil:
				return fmt.Errorf("%s: parameters and parameters_json_schema exclude each other", at)
			}
			declared[f.Name] = true
			if err := f.Parameters.check(at + ".parameters"); err != nil {
				return err
			}
		}
	}
	if q.ToolConfig == nil || q.ToolConfig.FunctionCallingConfig == nil {
		return nil
	}
	c := q.ToolConfig.FunctionCallingConfig
	if !strings.Contains(" AUTO ANY NONE VALIDATED ", " "+c.Mode+" ") {
		return fmt.Errorf("tool_config.function_calling_config.mode: invalid value %q", c.Mode)
	}
	for _, name := range c.AllowedFunctionNames {
		if !declared[name] || c.Mode == "AUTO" || c.Mode == "NONE" {
			return fmt.Errorf("allowed_function_names: %q is not declared, or the mode is not ANY", name)
		}
	}
	return nil
}

// check checks the rules for a schema that its list of members does not express.
func (s *geminiSchema) check(at string) error {
	if s == nil {
		return nil
	}
	switch strings.ToUpper(s.Type) {
	case "OBJECT":
		if len(s.Properties) == 0 {
			return fmt.Errorf("%s.properties: should be non-empty for OBJECT type", at)
		}
	case "ARRAY":
		if s.Items == nil {
			return fmt.Errorf("%s.items: missing field", at)
		}
	case "STRING", "NUMBER", "INTEGER", "BOOLEAN":
	default:
		if s.Type != "" || len(s.AnyOf) == 0 {
			return fmt.Errorf("%s.type: invalid value %q", at, s.Type)
		}
	}
	for name, p := range s.Properties {
		if err := p.check(at + ".properties[" + name + "]"); err != nil {
			return err
		}
	}
	return s.Items.check(at + ".items")
}

func (c *geminiConfig) check() error {
	switch {
	case c == nil:
	case c.CandidateCount != nil && (*c.CandidateCount < 1 || *c.CandidateCount > 8):
		return errors.New("generation_config.candidate_count: must be in the range of [1, 8]")
	case c.Temperature != nil && (*c.Temperature < 0 || *c.Temperature > 2):
		return errors.New("generation_config.temperature: must be in the range of [0.0, 2.0]")
	case c.Logprobs != nil && !c.ResponseLogprobs:
		return errors.New("generation_config.logprobs: needs response_logprobs")
	case c.ResponseSchema != nil && c.ResponseJSONSchema != nil:
		return errors.New("generation_config: response_schema and response_json_schema exclude each other")
	case (c.ResponseSchema != nil || c.ResponseJSONSchema != nil) && c.ResponseMIMEType != "application/json":
		return errors.New("generation_config.response_schema: needs response_mime_type application/json")
	case c.ThinkingConfig != nil && c.ThinkingConfig.ThinkingBudget != nil && c.ThinkingConfig.ThinkingLevel != "":
		return errors.New("only one of thinking budget and thinking level can be set")
	case c.ThinkingConfig != nil && !strings.Contains("  MINIMAL LOW MEDIUM HIGH ", " "+c.ThinkingConfig.ThinkingLevel+" "):
		return fmt.Errorf("thinking_config.thinking_level: invalid value %q", c.ThinkingConfig.ThinkingLevel)
	default:
		return c.ResponseSchema.check("generation_config.response_schema")
	}
	return nil
}

// inCamelCase returns a body with the API's own names in camel case: it takes them in
// snake case, too, and Google's SDK for Python writes some so. What the client names
// itself, in schemas, arguments and responses, stays.
// https://protobuf.dev/programming-guides/json
func inCamelCase(body []byte) []byte {
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return body
	}
	out, err := json.Marshal(camel(v))
	if err != nil {
		return body
	}
	return out
}

// clientsOwn are members whose values have the client's names.
var clientsOwn = []string{"args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "labels"}

func camel(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = camel(v[i])
		}
	case map[string]any:
		named := make(map[string]any, len(v))
		for name, value := range v {
			words := strings.Split(name, "_")
			for i, w := range words[1:] {
				if w != "" {
					words[i+1] = strings.ToUpper(w[:1]) + w[1:]
				}
			}
			if name = strings.Join(words, ""); !slices.Contains(clientsOwn, name) {
				value = camel(value)
			}
			named[name] = value
		}
		return named
	}
	return v
}

// blob is base64 in either alphabet, with or without padding.
// https://protobuf.dev/programming-guides/json/#field-representation
type blob []byte

// UnmarshalJSON implements json.Unmarshaler.
func (b *blob) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(s), "="))
	*b = raw
	return err
}
