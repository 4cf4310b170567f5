/* SPDX-License-Identifier: Apache-2.0 */
/* TreeEnsemble: the sum of decision trees, each walked from its root to one leaf. Integers throughout: float32
 * features are compared by their bits.
 *
 * A tree is its decision nodes in preorder: the left child follows its node, and the right one lies behind the
 * `left` nodes of the left subtree. Leaves are numbered from left to right: a subtree has one more than nodes, so that
 * the leaves passed are the nodes passed but for those where the walk went left. */
#ifndef TS_TREE_ENSEMBLE_H
#define TS_TREE_ENSEMBLE_H

#include <stdint.h>

#include "common/compiler.h"
#include "common/fixed_point.h"
#include "common/scale.h"

/* A narrow node is a word: threshold << 16 | left << 8 | TS_TREE_END | feature. A wide one is two words: the
 * threshold, and left << 16 | TS_TREE_WIDE_END | feature. */
#define TS_TREE_END 0x80u        /* the right child is a leaf */
#define TS_TREE_WIDE_END 0x8000u /* the same */

enum { TS_TREE_U8, TS_TREE_U16, TS_TREE_S16, TS_TREE_S32 };

/* Of the outputs: (sum * multiplier + rounding) >> shift, plus zero_point; for float32 sum * scale. */
typedef struct {
    int32_t trees, outputs;
    int32_t wide;      /* nodes are of two words */
    int32_t codes;     /* leaves are codes: below `classes` a vote for that output, else a row of `row_type` */
    int32_t classes;   /* 0 where no leaf is a vote */
    int32_t rows;      /* how many; 0 where all leaves are votes */
    int32_t vote;      /* what a vote adds */
    int32_t leaf_type; /* of codes, or of values to add to the tree's output */
    int32_t row_type;
    int32_t multiplier, rounding, shift, zero_point;
    float scale;
} ts_tree_ensemble_params;

static inline int32_t ts_tree_item(const void *items, uint32_t index, int32_t type)
{
    switch (type) {
    case TS_TREE_U8:
        return ((const uint8_t *)items)[index];
    case TS_TREE_U16:
        return ((const uint16_t *)items)[index];
    case TS_TREE_S16:
        return ((const int16_t *)items)[index];
    default:
        return ((const int32_t *)items)[index];
    }
}

/* Integers in the order of the floats (-0 before 0, NaN beyond infinity). */
static inline int32_t ts_tree_key_f32(float value)
{
    const union {
        float real;
        int32_t bits;
    } stored = {.real = value};
    return stored.bits ^ (int32_t)((uint32_t)(stored.bits >> 31) >> 1);
}

static inline int32_t ts_tree_key_s8(int8_t value)
{
    return value;
}

static inline int32_t ts_tree_key_s16(int16_t value)
{
    return value;
}

/* The number of the leaf that the features x reach in a tree. */
#define TS_TREE_WALKS(SUFFIX, T)                                                                                       \
    static inline uint32_t ts_tree_narrow_##SUFFIX(const uint32_t *nodes, const T *x)                                  \
    {                                                                                                                  \
        const uint32_t *node = nodes;                                                                                  \
        uint32_t lefts = 0;                                                                                            \
        for (;;) {                                                                                                     \
            const uint32_t word = *node++;                                                                             \
            if (ts_tree_key_##SUFFIX(x[word & 0x7fu]) <= ((int32_t)word >> 16)) {                                      \
                lefts++;                                                                                               \
                if ((word & 0xff00u) == 0) {                                                                           \
                    break;                                                                                             \
                }                                                                                                      \
            } else {                                                                                                   \
                node += (word >> 8) & 0xffu;                                                                           \
                if (word & TS_TREE_END) {                                                                              \
                    break;                                                                                             \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        return (uint32_t)(node - nodes) - lefts;                                                                       \
    }                                                                                                                  \
                                                                                                                       \
    static inline uint32_t ts_tree_wide_##SUFFIX(const uint32_t *nodes, const T *x)                                    \
    {                                                                                                                  \
        const uint32_t *node = nodes;                                                                                  \
        uint32_t lefts = 0;                                                                                            \
        for (;;) {                                                                                                     \
            const int32_t threshold = (int32_t)node[0];                                                                \
            const uint32_t word = node[1];                                                                             \
            node += 2;                                                                                                 \
            if (ts_tree_key_##SUFFIX(x[word & 0x7fffu]) <= threshold) {                                                \
                lefts++;                                                                                               \
                if (word >> 16 == 0) {                                                                                 \
                    break;                                                                                             \
                }                                                                                                      \
            } else {                                                                                                   \
                node += 2 * (word >> 16);                                                                              \
                if (word & TS_TREE_WIDE_END) {                                                                         \
                    break;                                                                                             \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        return (uint32_t)(node - nodes) / 2 - lefts;                                                                   \
    }

/* Bytes of the sums. */
#define TS_TREE_ENSEMBLE_SUMS_BYTES(outputs) (4 * (outputs))

/* Adds what a leaf says to the sums. */
static inline void ts_tree_add(const ts_tree_ensemble_params *p, int32_t leaf, const void *rows, uint32_t target,
                               int32_t *sums)
{
    if (!p->codes) {
        sums[target] += leaf;
    } else if (p->rows == 0 || leaf < p->classes) {
        sums[leaf] += p->vote;
    } else {
        const uint32_t start = (uint32_t)((leaf - p->classes) * p->outputs);
        for (int32_t k = 0; k < p->outputs; k++) {
            sums[k] += ts_tree_item(rows, start + (uint32_t)k, p->row_type);
        }
    }
}

static inline void ts_tree_start(const ts_tree_ensemble_params *p, const int32_t *base, int32_t *sums)
{
    for (int32_t k = 0; k < p->outputs; k++) {
        sums[k] = base[k];
    }
}

#define TS_TREE_FINISH(SUFFIX, T, LOW, HIGH)                                                                           \
    static inline void ts_tree_finish_##SUFFIX(const ts_tree_ensemble_params *p, const int32_t *sums, T *output)       \
    {                                                                                                                  \
        for (int32_t k = 0; k < p->outputs; k++) {                                                                     \
            const int32_t value = (sums[k] * p->multiplier + p->rounding) >> p->shift;                                 \
            output[k] = (T)ts_clamp(value + p->zero_point, LOW, HIGH);                                                 \
        }                                                                                                              \
    }

TS_TREE_FINISH(s8, int8_t, INT8_MIN, INT8_MAX)
TS_TREE_FINISH(s16, int16_t, INT16_MIN, INT16_MAX)

static inline void ts_tree_finish_f32(const ts_tree_ensemble_params *p, const int32_t *sums, float *output)
{
    const float scale = ts_scale(p->scale);
    for (int32_t k = 0; k < p->outputs; k++) {
        output[k] = (float)sums[k] * scale;
    }
}

/* nodes of all trees, sizes: decision nodes per tree [trees]; leaves of all trees in order; rows [][outputs];
 * targets: the output of each tree [trees] (NULL: the first); base: where the sums start [outputs]. Sums are
 * working memory of [outputs]. */
#define TS_TREE_ENSEMBLE(SUFFIX, T)                                                                                    \
    TS_TREE_WALKS(SUFFIX, T)                                                                                           \
    static inline void ts_tree_ensemble_##SUFFIX(                                                                      \
        const ts_tree_ensemble_params *p, const T *x, const uint32_t *nodes, const uint16_t *sizes,                    \
        const void *leaves, const void *rows, const uint8_t *targets, const int32_t *base, T *output, int32_t *sums)   \
    {                                                                                                                  \
        uint32_t first = 0;                                                                                            \
        ts_tree_start(p, base, sums);                                                                                  \
        for (int32_t t = 0; t < p->trees; t++) {                                                                       \
            const uint32_t leaf =                                                                                      \
                first + (p->wide ? ts_tree_wide_##SUFFIX(nodes, x) : ts_tree_narrow_##SUFFIX(nodes, x));               \
            ts_tree_add(p, ts_tree_item(leaves, leaf, p->leaf_type), rows, targets ? targets[t] : 0, sums);            \
            nodes += p->wide ? 2 * sizes[t] : sizes[t];                                                                \
            first += sizes[t] + 1u;                                                                                    \
        }                                                                                                              \
        ts_tree_finish_##SUFFIX(p, sums, output);                                                                      \
    }

TS_TREE_ENSEMBLE(s8, int8_t)
TS_TREE_ENSEMBLE(s16, int16_t)
TS_TREE_ENSEMBLE(f32, float)

/* Trees as code (ops/tree_branches.py): one function, where features stay in registers from tree to tree, or one
 * per tree. */
#define TS_TREE_INLINE static TS_ALWAYS_INLINE
#define TS_TREE static TS_NOINLINE

#undef TS_TREE_WALKS
#undef TS_TREE_FINISH
#undef TS_TREE_ENSEMBLE

#endif
