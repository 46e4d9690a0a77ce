#pragma once
// Everything that the library promises.
#include "qdq/error.h"
#include "qdq/executor.h"
#include "qdq/graph.h"
#include "qdq/graph_text.h"
#include "qdq/io.h"
#include "qdq/observer.h"
#include "qdq/program.h"
#include "qdq/quantize.h"
#include "qdq/quantizer.h"
#include "qdq/tensor.h"
#include "qdq/version.h"
