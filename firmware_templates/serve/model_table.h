/* SPDX-License-Identifier: Apache-2.0 */
/* The interface of a model image: the table at the start of its body. Firmware calls the model through it, so that a
 * new model needs no new firmware. The body is linked for its slot and has no RAM of its own: context and memory are
 * the firmware's. Whatever changes here changes TS_MODEL_ABI. */
#ifndef TS_MODEL_TABLE_H
#define TS_MODEL_TABLE_H

#include <stdint.h>

#include "event.h"
#include "tensor_io.h"

#define TS_MODEL_MAGIC 0x4c444d54u /* "TMDL" */
#define TS_MODEL_ABI 2u
#define TS_MODEL_MAX_TENSORS 8u    /* inputs, and outputs */
#define TS_MODEL_MAX_EVENTS 16u    /* of one inference */
#define TS_MODEL_CONTEXT_BYTES 32u /* that a model's context may take */
#define TS_MODEL_ALIGNMENT 16u     /* of memory and of each input */

typedef struct {
    uint32_t magic;
    uint32_t abi;
    uint32_t input_count;
    uint32_t output_count;
    uint32_t layer_count;
    uint32_t arena_bytes; /* what init takes; inputs of the host lie behind it */
    uint32_t input_bytes; /* of all inputs, one behind the other */
    uint32_t is_stateful;
    const tensor_io *inputs;
    const tensor_io *outputs;
    const char *name;
    int (*init)(void *context, void *arena); /* 0 on success */
    void *(*input)(void *context, uint32_t index);
    int (*invoke)(void *context); /* 0 on success */
    const void *(*output)(void *context, uint32_t index);
    void (*reset)(void *context);
    void (*invoke_layer)(void *context, uint32_t layer);
    const char *(*layer_name)(uint32_t layer);
    uint32_t event_count;                                        /* of one inference, at most */
    void (*on_event)(void *context, ts_event_callback callback); /* NULL for a model without events */
} ts_model_table;

#endif
