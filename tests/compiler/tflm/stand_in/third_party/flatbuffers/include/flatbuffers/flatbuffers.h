#pragma once

#define FLATBUFFERS_ZERO 0
