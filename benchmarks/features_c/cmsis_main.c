/* SPDX-License-Identifier: Apache-2.0 */
/* CMSIS-DSP's MFCC of one frame; tables.h has its sizes, tables and sound. */
#include "arm_math.h"
#include "common/math.h"
#include "tables.h"
float logf(float x)
{
    return ts_logf(x);
}
float sqrtf(float x)
{
    __asm__("vsqrt.f32 %0, %0" : "+t"(x));
    return x;
}
static arm_mfcc_instance_f32 f32;
static arm_mfcc_instance_q15 q15;
static float in_f32[FFT], work_f32[2 * FFT], out_f32[COEFFICIENTS];
static q15_t in_q15[FFT], out_q15[COEFFICIENTS];
static q31_t work_q15[2 * FFT];
void setup(void)
{
    arm_mfcc_init_512_f32(&f32, BANDS, COEFFICIENTS, dct, positions, lengths, filters, window);
    arm_mfcc_init_512_q15(&q15, BANDS, COEFFICIENTS, dct_q15, positions, lengths, filters_q15, window_q15);
    for (int i = 0; i < FFT; i++) {
        in_f32[i] = sound[i] / 32768.0f;
        in_q15[i] = sound[i];
    }
}
void run_f32(void)
{
    arm_mfcc_f32(&f32, in_f32, out_f32, work_f32);
}
void run_q15(void)
{
    arm_mfcc_q15(&q15, in_q15, out_q15, work_q15);
}
float *result_f32(void)
{
    return out_f32;
}
