package jsonedit

import "golang.org/x/sys/cpu"

// vectors says that the processor has the instructions of skipBlocks.
var vectors = cpu.X86.HasAVX2
