#include "textflag.h"

// Constants, each byte 32 times or a table of 16 bytes twice.
DATA quotes<>+0(SB)/8, $0x2222222222222222
GLOBL quotes<>(SB), RODATA|NOPTR, $8
DATA slashes<>+0(SB)/8, $0x5c5c5c5c5c5c5c5c
GLOBL slashes<>(SB), RODATA|NOPTR, $8
DATA controls<>+0(SB)/8, $0x1f1f1f1f1f1f1f1f
GLOBL controls<>(SB), RODATA|NOPTR, $8
DATA nibbles<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL nibbles<>(SB), RODATA|NOPTR, $8

// A character that may be escaped is a quote, a backslash, or has a bit in common
// here: bit 0 is for b, f and n (0x62, 0x66, 0x6e), bit 1 for r and t (0x72, 0x74).
DATA lower<>+0(SB)/8, $0x0001000200030000
DATA lower<>+8(SB)/8, $0x0001000000000000
GLOBL lower<>(SB), RODATA|NOPTR, $16
DATA upper<>+0(SB)/8, $0x0201000000000000
DATA upper<>+8(SB)/8, $0x0000000000000000
GLOBL upper<>(SB), RODATA|NOPTR, $16

// func skipBlocks(p *byte, n int, carry uint32) (skipped int, next, slashes, wide uint32)
TEXT ·skipBlocks(SB), NOSPLIT, $0-44
	MOVQ p+0(FP), SI
	MOVQ n+8(FP), CX
	MOVL carry+16(FP), BX // bit 0: the first byte is escaped
	XORL R12, R12         // all backslashes so far
	XORL R13, R13         // all bytes so far that are not ASCII
	MOVQ SI, DI
	VPBROADCASTQ quotes<>(SB), Y8
	VPBROADCASTQ slashes<>(SB), Y9
	VPBROADCASTQ controls<>(SB), Y10
	VPBROADCASTQ nibbles<>(SB), Y11
	VBROADCASTI128 lower<>(SB), Y12
	VBROADCASTI128 upper<>(SB), Y13
	VPXOR Y14, Y14, Y14
	VPXOR Y15, Y15, Y15   // all bytes that were passed two blocks at a time
	TESTL BX, BX
	JNZ  loop

	// Two blocks at a time, as long as nothing in them needs a look.
pairs:
	SUBQ $64, CX
	JLT  single
	VMOVDQU (DI), Y0
	VMOVDQU 32(DI), Y1
	VPCMPEQB Y8, Y0, Y2
	VPCMPEQB Y8, Y1, Y3
	VPCMPEQB Y9, Y0, Y4
	VPCMPEQB Y9, Y1, Y5
	VPOR Y2, Y3, Y2
	VPOR Y4, Y5, Y4
	VPMINUB Y10, Y0, Y3
	VPMINUB Y10, Y1, Y5
	VPCMPEQB Y3, Y0, Y3
	VPCMPEQB Y5, Y1, Y5
	VPOR Y2, Y4, Y2
	VPOR Y3, Y5, Y3
	VPOR Y2, Y3, Y2
	VPTEST Y2, Y2
	JNZ  single
	VPOR Y0, Y15, Y15
	VPOR Y1, Y15, Y15
	ADDQ $64, DI
	JMP  pairs

single:
	ADDQ $64, CX

loop:
	SUBQ $32, CX
	JLT  done
	VMOVDQU (DI), Y0
	VPCMPEQB Y8, Y0, Y1   // quotes
	VPCMPEQB Y9, Y0, Y2   // backslashes
	VPMINUB Y10, Y0, Y3
	VPCMPEQB Y3, Y0, Y3   // control characters
	VPSHUFB Y0, Y12, Y4
	VPSRLW $4, Y0, Y5
	VPAND Y11, Y5, Y5
	VPSHUFB Y5, Y13, Y5
	VPAND Y4, Y5, Y4
	VPCMPEQB Y14, Y4, Y4  // not b, f, n, r, t
	VPMOVMSKB Y1, R8
	VPMOVMSKB Y2, R9
	VPMOVMSKB Y3, R10
	VPMOVMSKB Y4, R11
	VPMOVMSKB Y0, R14

	// escaped (DX) and escaping (AX) characters, from the runs of backslashes
	MOVL BX, DX
	NOTL DX
	ANDL R9, DX           // backslashes that are not escaped by the block before
	LEAL (DX)(DX*1), AX
	ORL  $0xaaaaaaaa, AX
	SUBL DX, AX
	XORL $0xaaaaaaaa, AX
	MOVL R9, DX
	ORL  BX, DX
	XORL AX, DX
	ANDL R9, AX

	// stop at an ending quote, a control character or an unusual escape
	ANDL DX, R11
	MOVL R8, R15
	ORL  R9, R15
	NOTL R15
	ANDL R15, R11
	NOTL DX
	ANDL DX, R8
	ORL  R10, R11
	ORL  R8, R11
	JNZ  done

	SHRL $31, AX
	MOVL AX, BX
	ORL  R9, R12
	ORL  R14, R13
	ADDQ $32, DI
	ORL  R9, BX
	JNZ  again            // where there is one backslash there are more
	JMP  pairs

again:
	MOVL AX, BX
	JMP  loop

done:
	VPMOVMSKB Y15, R14
	ORL  R14, R13
	VZEROUPPER
	SUBQ SI, DI
	MOVQ DI, skipped+24(FP)
	MOVL BX, next+32(FP)
	MOVL R12, slashes+36(FP)
	MOVL R13, wide+40(FP)
	RET

// func findPair(p *byte, n int, first, last byte, gap int) int
TEXT ·findPair(SB), NOSPLIT, $0-40
	MOVQ p+0(FP), SI
	MOVQ n+8(FP), CX
	MOVBLZX first+16(FP), AX
	MOVBLZX last+17(FP), BX
	MOVQ gap+24(FP), DX
	MOVQ AX, X8
	MOVQ BX, X9
	VPBROADCASTB X8, Y8
	VPBROADCASTB X9, Y9
	ADDQ SI, DX
	XORQ DI, DI

two:
	LEAQ 64(DI), R8
	CMPQ R8, CX
	JGT  one
	VPCMPEQB (SI)(DI*1), Y8, Y0
	VPCMPEQB (DX)(DI*1), Y9, Y1
	VPCMPEQB 32(SI)(DI*1), Y8, Y2
	VPCMPEQB 32(DX)(DI*1), Y9, Y3
	VPAND Y0, Y1, Y0
	VPAND Y2, Y3, Y2
	VPOR  Y0, Y2, Y4
	VPTEST Y4, Y4
	JNZ  one
	MOVQ R8, DI
	JMP  two

one:
	LEAQ 32(DI), R8
	CMPQ R8, CX
	JGT  none
	VPCMPEQB (SI)(DI*1), Y8, Y0
	VPCMPEQB (DX)(DI*1), Y9, Y1
	VPAND Y0, Y1, Y0
	VPMOVMSKB Y0, AX
	TESTL AX, AX
	JNZ  found
	MOVQ R8, DI
	JMP  two

found:
	BSFL AX, AX
	ADDQ AX, DI

none:
	VZEROUPPER
	MOVQ DI, ret+32(FP)
	RET
