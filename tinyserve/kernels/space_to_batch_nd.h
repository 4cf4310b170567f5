/* SPDX-License-Identifier: Apache-2.0 */
/* SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND over [batches][height][width][depth]: every block_height-th row and
 * block_width-th column of the padded input is a batch of its own, and back. */
#ifndef TS_SPACE_TO_BATCH_ND_H
#define TS_SPACE_TO_BATCH_ND_H

#include <stdint.h>

/* top and left are the paddings (crops) before the input (output); value fills what is padded. */
typedef struct {
    int32_t input_batches, input_height, input_width, depth;
    int32_t output_batches, output_height, output_width;
    int32_t block_height, block_width, top, left, value;
} ts_space_to_batch_nd_params;

#define TS_SPACE_TO_BATCH_ND(SUFFIX, T)                                                                                \
    static inline T *ts_space_to_batch_nd_pixel_##SUFFIX(const ts_space_to_batch_nd_params *p, const T *from, T *to)   \
    {                                                                                                                  \
        for (int32_t i = 0; i < p->depth; i++) {                                                                       \
            *to++ = from ? from[i] : (T)p->value;                                                                      \
        }                                                                                                              \
        return to;                                                                                                     \
    }                                                                                                                  \
                                                                                                                       \
    static inline void ts_space_to_batch_nd_##SUFFIX(const ts_space_to_batch_nd_params *p, const T *input, T *output)  \
    {                                                                                                                  \
        for (int32_t b = 0; b < p->output_batches; b++) {                                                              \
            const T *const source = input + b % p->input_batches * p->input_height * p->input_width * p->depth;        \
            const int32_t shift = b / p->input_batches;                                                                \
            for (int32_t oy = 0; oy < p->output_height; oy++) {                                                        \
                const int32_t y = oy * p->block_height + shift / p->block_width - p->top;                              \
                for (int32_t ox = 0; ox < p->output_width; ox++) {                                                     \
                    const int32_t x = ox * p->block_width + shift % p->block_width - p->left;                          \
                    const int inside = y >= 0 && y < p->input_height && x >= 0 && x < p->input_width;                  \
                    const T *const from = inside ? source + (y * p->input_width + x) * p->depth : (const T *)0;        \
                    output = ts_space_to_batch_nd_pixel_##SUFFIX(p, from, output);                                     \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static inline void ts_batch_to_space_nd_##SUFFIX(const ts_space_to_batch_nd_params *p, const T *input, T *output)  \
    {                                                                                                                  \
        const int32_t image = p->input_height * p->input_width;                                                        \
        for (int32_t b = 0; b < p->output_batches; b++) {                                                              \
            for (int32_t oy = p->top; oy < p->top + p->output_height; oy++) {                                          \
                for (int32_t ox = p->left; ox < p->left + p->output_width; ox++) {                                     \
                    const int32_t shift = oy % p->block_height * p->block_width + ox % p->block_width;                 \
                    const int32_t pixel = oy / p->block_height * p->input_width + ox / p->block_width;                 \
                    const int32_t place = (shift * p->output_batches + b) * image + pixel;                             \
                    output = ts_space_to_batch_nd_pixel_##SUFFIX(p, input + place * p->depth, output);                 \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

TS_SPACE_TO_BATCH_ND(s8, int8_t)
TS_SPACE_TO_BATCH_ND(f32, float)

#undef TS_SPACE_TO_BATCH_ND

/* Blocks and borders are computed at run time: of height and width, or of height alone where spatial is 1. The fields
 * of blocks, top and left are not read. Outputs are all 0 where the sizes do not make the compiled shapes. */
typedef struct {
    ts_space_to_batch_nd_params shapes;
    int32_t spatial;
} ts_space_to_batch_nd_at_params;

static inline int ts_space_to_batch_nd_fits(int32_t space, int32_t blocks, int32_t side, const int32_t *around)
{
    const int64_t padded = (int64_t)space + around[0] + around[1];
    return side > 0 && around[0] >= 0 && around[1] >= 0 && padded == (int64_t)blocks * side;
}

/* back: from batches to space. */
static inline int ts_space_to_batch_nd_resolve(ts_space_to_batch_nd_params *p, int back, int32_t spatial,
                                               const int32_t *sizes, const int32_t *borders)
{
    const int32_t none[2] = {0, 0}, *columns = spatial == 2 ? borders + 2 : none;
    p->block_height = sizes[0];
    p->block_width = spatial == 2 ? sizes[1] : 1;
    p->top = borders[0];
    p->left = columns[0];
    const int32_t space = back ? p->output_batches : p->input_batches;
    const int32_t batch = back ? p->input_batches : p->output_batches;
    return ts_space_to_batch_nd_fits(back ? p->output_height : p->input_height,
                                     back ? p->input_height : p->output_height, p->block_height, borders) &&
           ts_space_to_batch_nd_fits(back ? p->output_width : p->input_width, back ? p->input_width : p->output_width,
                                     p->block_width, columns) &&
           batch % space == 0 && (int64_t)p->block_height * p->block_width == batch / space;
}

#define TS_SPACE_TO_BATCH_ND_AT(NAME, SUFFIX, T, BACK)                                                                 \
    static inline void ts_##NAME##_##SUFFIX##_at(const ts_space_to_batch_nd_at_params *p, const T *input,              \
                                                 const int32_t *sizes, const int32_t *borders, T *output)              \
    {                                                                                                                  \
        ts_space_to_batch_nd_params params = p->shapes;                                                                \
        if (ts_space_to_batch_nd_resolve(&params, BACK, p->spatial, sizes, borders)) {                                 \
            ts_##NAME##_##SUFFIX(&params, input, output);                                                              \
            return;                                                                                                    \
        }                                                                                                              \
        const int32_t elements = params.output_batches * params.output_height * params.output_width * params.depth;    \
        for (int32_t i = 0; i < elements; i++) {                                                                       \
            output[i] = 0;                                                                                             \
        }                                                                                                              \
    }

TS_SPACE_TO_BATCH_ND_AT(space_to_batch_nd, s8, int8_t, 0)
TS_SPACE_TO_BATCH_ND_AT(space_to_batch_nd, f32, float, 0)
TS_SPACE_TO_BATCH_ND_AT(batch_to_space_nd, s8, int8_t, 1)
TS_SPACE_TO_BATCH_ND_AT(batch_to_space_nd, f32, float, 1)

#undef TS_SPACE_TO_BATCH_ND_AT

#endif
