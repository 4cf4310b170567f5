/* SPDX-License-Identifier: Apache-2.0 */
/* The model that is served from a slot: memory, calls under a watchdog, and the proof of a new one. */
#ifndef TS_SERVING_H
#define TS_SERVING_H

#include <stdint.h>

#include "model_table.h"
#include "slots.h"

extern const ts_model_table *serving; /* never NULL: an empty table where nothing is served */
extern ts_slots serving_slots;

void serving_start(void); /* once: reads the journal, ends what a reset interrupted, loads the active model */
int serving_is_on(void);
void serving_load_active(void);   /* after the active slot has changed */
const char *serving_sha256(void); /* of model.tflite, hex; "" without a model */

void serving_on_event(ts_event_callback callback); /* of this model, and of those that are served after it */
void serving_reset(void);
void *serving_input(uint32_t index);
uint8_t *serving_input_copy(uint32_t index); /* where hosts put an input: an inference may overwrite the model's own */
void serving_give_inputs(void);
int serving_invoke(void);           /* 0 on success; under the watchdog */
void serving_count(int is_counted); /* whether health counts the inferences from now on */
const void *serving_output(uint32_t index);
void serving_invoke_layer(uint32_t layer);

/* From the fault handler: keeps what happened over the reset that follows. */
void serving_fault(uint32_t pc) __attribute__((noreturn));

#endif
