/* SPDX-License-Identifier: Apache-2.0 */
#include "mlperf.h"

uint8_t mlperf_floats[CONFIG_MLPERF_FLOATS * 4u + 1u];

static float float_at(const uint8_t *bytes, uint32_t index)
{
    const uint8_t *const at = bytes + 4u * index;
    const union {
        uint32_t bits;
        float real;
    } cast = {(uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24};
    return cast.real;
}

float mlperf_scale_of(const tensor_io *t)
{
    float scale = (float)t->scale_mantissa;
    for (int32_t e = t->scale_exponent; e < 0; e++) {
        scale *= 0.5f;
    }
    for (int32_t e = t->scale_exponent; e > 0; e--) {
        scale *= 2.0f;
    }
    return scale;
}

/* To the nearest, halves away from zero, saturated; what is no number becomes the smallest. */
static uint8_t quantized(float value, float scale, int32_t zero_point)
{
    const float steps = value / scale + (value < 0.0f ? -0.5f : 0.5f);
    const int32_t nearest = steps > -1000.0f ? steps < 1000.0f ? (int32_t)steps : 1000 : -1000;
    const int32_t shifted = nearest + zero_point;
    return (uint8_t)(shifted < -128 ? -128 : shifted > 127 ? 127 : shifted);
}

void mlperf_quantize(uint8_t *input)
{
    const float scale = mlperf_scale_of(&model_inputs[0]);
    for (uint32_t i = 0; i != CONFIG_MLPERF_FLOATS; i++) {
        input[i] = quantized(float_at(mlperf_floats, i), scale, model_inputs[0].zero_point);
    }
}

void mlperf_shift_pixels(uint8_t *input, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        input[i] ^= 0x80u;
    }
}

static float value_at(const uint8_t *bytes, uint32_t index, const tensor_io *t, float scale)
{
    if (t->kind == ELEMENT_FLOAT) {
        return float_at(bytes, index);
    }
    const int32_t stored = (int32_t)(bytes[index] ^ 0x80u) - 128;
    return (float)(stored - t->zero_point) * scale;
}

float mlperf_reconstruction_error(const uint8_t *input, const uint8_t *output, int from_floats)
{
    const float input_scale = mlperf_scale_of(&model_inputs[0]);
    const float output_scale = mlperf_scale_of(&model_outputs[0]);
    const uint32_t count = model_inputs[0].bytes / model_inputs[0].element_bytes;
    float sum = 0.0f;
    for (uint32_t i = 0; i < count; i++) {
        const float given = CONFIG_MLPERF_FLOATS > 0u && from_floats
                                ? float_at(mlperf_floats, i)
                                : value_at(input, i, &model_inputs[0], input_scale);
        const float difference = value_at(output, i, &model_outputs[0], output_scale) - given;
        sum += difference * difference;
    }
    return sum / (float)count;
}
