/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#define FLATBUFFERS_ZERO 0
