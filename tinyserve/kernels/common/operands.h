/* SPDX-License-Identifier: Apache-2.0 */
/* Weights and bias that are computed at run time: kernels with both in their parameters, which then are NULL. */
#ifndef TS_COMMON_OPERANDS_H
#define TS_COMMON_OPERANDS_H

/* KERNEL_computed is KERNEL with weights (of type W) and bias (of type B, or NULL) from the arena. */
#define TS_COMPUTED_OPERANDS(KERNEL, T, W, B)                                                                          \
    static inline void KERNEL##_computed(const KERNEL##_params *p, const T *input, const W *weights, const B *bias,    \
                                         T *output)                                                                    \
    {                                                                                                                  \
        KERNEL##_params with = *p;                                                                                     \
        with.weights = weights;                                                                                        \
        with.bias = bias;                                                                                              \
        KERNEL(&with, input, output);                                                                                  \
    }

#endif
