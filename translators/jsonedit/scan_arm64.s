#include "textflag.h"

// The characters b, f, n, r and t, counted from b; then the bit of each byte in a mask.
DATA usual<>+0(SB)/8, $0x000000ff000000ff  // b, f
DATA usual<>+8(SB)/8, $0x000000ff00000000  // n
DATA usual<>+16(SB)/8, $0x0000000000ff00ff // r, t
DATA usual<>+24(SB)/8, $0
DATA usual<>+32(SB)/8, $0x8040201008040201
DATA usual<>+40(SB)/8, $0x8040201008040201
GLOBL usual<>(SB), RODATA|NOPTR, $48

// func skipBlocks(p *byte, n int, carry uint32) (skipped int, next, slashes, wide uint32)
TEXT ·skipBlocks(SB), NOSPLIT, $0-44
	MOVD p+0(FP), R0
	MOVD n+8(FP), R1
	MOVWU carry+16(FP), R2 // bit 0: the first byte is escaped
	MOVD R0, R3
	MOVD ZR, R4            // all backslashes so far
	MOVW $0xaaaaaaaa, R5
	MOVD $usual<>(SB), R6
	VLD1 (R6), [V20.B16, V21.B16, V22.B16]
	VMOVI $0x22, V23.B16 // quotes
	VMOVI $0x5c, V24.B16 // backslashes
	VMOVI $0x1f, V25.B16 // the last control character
	VMOVI $0x62, V26.B16 // b
	VMOVI $0x02, V27.B16 // turns a quote into a space and keeps control characters low
	VMOVI $0x20, V28.B16
	VEOR V29.B16, V29.B16, V29.B16 // all bytes so far
	CBNZW R2, loop

	// Two blocks at a time, as long as nothing in them needs a look.
pairs:
	SUBS $64, R1
	BLT  single
	VLD1 (R0), [V0.B16, V1.B16, V2.B16, V3.B16]
	VEOR V27.B16, V0.B16, V4.B16
	VEOR V27.B16, V1.B16, V5.B16
	VEOR V27.B16, V2.B16, V6.B16
	VEOR V27.B16, V3.B16, V7.B16
	VCMEQ V24.B16, V0.B16, V16.B16
	VCMEQ V24.B16, V1.B16, V17.B16
	VCMEQ V24.B16, V2.B16, V18.B16
	VCMEQ V24.B16, V3.B16, V19.B16
	VUMIN V4.B16, V5.B16, V4.B16
	VUMIN V6.B16, V7.B16, V6.B16
	VORR V16.B16, V17.B16, V16.B16
	VORR V18.B16, V19.B16, V18.B16
	VUMIN V4.B16, V6.B16, V4.B16
	VORR V16.B16, V18.B16, V16.B16
	VUMIN V28.B16, V4.B16, V5.B16
	VCMEQ V4.B16, V5.B16, V4.B16 // quotes and control characters
	VORR V4.B16, V16.B16, V4.B16
	VADDP V4.D2, V4.D2, V4.D2    // of bytes 0 and -1: 0 only if all are
	FMOVD F4, R7
	CBNZ R7, single
	VORR V0.B16, V1.B16, V0.B16
	VORR V2.B16, V3.B16, V2.B16
	VORR V0.B16, V29.B16, V29.B16
	VORR V2.B16, V29.B16, V29.B16
	ADD  $64, R0
	B    pairs

single:
	ADD  $64, R1

loop:
	SUBS $32, R1
	BLT  done
	VLD1 (R0), [V0.B16, V1.B16]
	VCMEQ V23.B16, V0.B16, V2.B16
	VCMEQ V23.B16, V1.B16, V3.B16
	VCMEQ V24.B16, V0.B16, V4.B16
	VCMEQ V24.B16, V1.B16, V5.B16
	VSUB V26.B16, V0.B16, V6.B16
	VSUB V26.B16, V1.B16, V7.B16
	VTBL V6.B16, [V20.B16, V21.B16], V6.B16
	VTBL V7.B16, [V20.B16, V21.B16], V7.B16
	VUMIN V0.B16, V1.B16, V16.B16
	VUMIN V25.B16, V16.B16, V17.B16
	VCMEQ V16.B16, V17.B16, V16.B16
	VAND V22.B16, V2.B16, V2.B16
	VAND V22.B16, V3.B16, V3.B16
	VAND V22.B16, V4.B16, V4.B16
	VAND V22.B16, V5.B16, V5.B16
	VAND V22.B16, V6.B16, V6.B16
	VAND V22.B16, V7.B16, V7.B16
	VADDP V3.B16, V2.B16, V2.B16
	VADDP V5.B16, V4.B16, V4.B16
	VADDP V7.B16, V6.B16, V6.B16
	VADDP V4.B16, V2.B16, V2.B16
	VADDP V16.B16, V6.B16, V6.B16
	VADDP V6.B16, V2.B16, V2.B16
	FMOVD F2, R7
	VMOV V2.D[1], R9
	LSR  $32, R7, R8     // backslashes; R7: quotes
	LSR  $32, R9, R10    // not 0: there are control characters; R9: b, f, n, r, t

	// escaped (R12) and escaping (R11) characters, from the runs of backslashes
	BICW R2, R8, R12     // backslashes that are not escaped by the block before
	ORRW R12<<1, R5, R11
	SUBW R12, R11, R11
	EORW R5, R11, R11
	ORRW R2, R8, R12
	EORW R11, R12, R12
	ANDW R8, R11, R11

	// stop at an ending quote, a control character or an unusual escape
	ORRW R7, R9, R9
	ORRW R8, R9, R9
	BICW R9, R12, R9
	BICW R12, R7, R7
	ORRW R7, R9, R9
	ORRW R10, R9, R9
	CBNZW R9, done

	LSRW $31, R11, R2
	ORRW R8, R4, R4
	VORR V0.B16, V29.B16, V29.B16
	VORR V1.B16, V29.B16, V29.B16
	ADD  $32, R0
	CBNZW R8, loop       // where there is one backslash there are more
	B    pairs

done:
	FMOVD F29, R7
	VMOV V29.D[1], R8
	ORR  R7, R8, R7
	AND  $0x8080808080808080, R7, R7
	ORR  R7>>32, R7, R7
	SUB  R3, R0, R0
	MOVD R0, skipped+24(FP)
	MOVW R2, next+32(FP)
	MOVW R4, slashes+36(FP)
	MOVW R7, wide+40(FP)
	RET

// func findPair(p *byte, n int, first, last byte, gap int) int
TEXT ·findPair(SB), NOSPLIT, $0-40
	MOVD p+0(FP), R0
	MOVD n+8(FP), R1
	MOVBU first+16(FP), R2
	MOVBU last+17(FP), R3
	MOVD gap+24(FP), R4
	ADD  R0, R4, R4
	MOVD R0, R5
	VDUP R2, V16.B16
	VDUP R3, V17.B16

next:
	SUBS $32, R1
	BLT  none
	VLD1.P 32(R0), [V0.B16, V1.B16]
	VLD1.P 32(R4), [V2.B16, V3.B16]
	VCMEQ V16.B16, V0.B16, V0.B16
	VCMEQ V16.B16, V1.B16, V1.B16
	VCMEQ V17.B16, V2.B16, V2.B16
	VCMEQ V17.B16, V3.B16, V3.B16
	VAND V0.B16, V2.B16, V0.B16
	VAND V1.B16, V3.B16, V1.B16
	VORR V0.B16, V1.B16, V2.B16
	VADDP V2.D2, V2.D2, V2.D2 // see skipBlocks
	FMOVD F2, R6
	CBZ  R6, next

	MOVD $usual<>+32(SB), R6
	VLD1 (R6), [V4.B16]
	VAND V4.B16, V0.B16, V0.B16
	VAND V4.B16, V1.B16, V1.B16
	VADDP V1.B16, V0.B16, V0.B16
	VADDP V0.B16, V0.B16, V0.B16
	VADDP V0.B16, V0.B16, V0.B16
	FMOVD F0, R6
	RBIT R6, R6
	CLZ  R6, R6
	SUB  $32, R0
	ADD  R6, R0

none:
	SUB  R5, R0, R0
	MOVD R0, ret+32(FP)
	RET
