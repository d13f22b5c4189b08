package jsonedit

// vectors: every arm64 processor has NEON. A variable, for the tests' sake.
var vectors = true
