/* SPDX-License-Identifier: Apache-2.0 */
/* What the protocol knows of the model where it comes from a slot: as the fixed firmware's model_io.h, of whatever
 * model is served. Without one there are no inputs and no outputs, and every inference fails. */
#ifndef MODEL_IO_H
#define MODEL_IO_H

#include <stdint.h>

#include "secure.h"
#include "serving.h"
#include "smp.h"

#define MODEL_INPUT_COUNT (serving->input_count)
#define MODEL_OUTPUT_COUNT (serving->output_count)
#define MODEL_LAYER_COUNT (serving->layer_count)
#define MODEL_MAX_INPUTS TS_MODEL_MAX_TENSORS
#define MODEL_EVENT_COUNT (serving->event_count)
#define MODEL_MAX_EVENTS TS_MODEL_MAX_EVENTS
#define MODEL_IS_STATEFUL (serving->is_stateful)
#define MODEL_ARENA_BYTES (serving->arena_bytes)
#define MODEL_SHA256 (serving_sha256())

#define protocol_is_open secure_is_open

#define model_inputs (serving->inputs)
#define model_outputs (serving->outputs)

#define model_init serving_reset
#define model_input serving_input
#define model_input_copy serving_input_copy
#define model_invoke serving_invoke
#define model_output serving_output
#define model_on_event serving_on_event
#define model_reset serving_reset
#define model_event_heard smp_model_event
#define model_invoke_layer serving_invoke_layer
#define model_layer_name(layer) (serving->layer_name(layer))

#endif
