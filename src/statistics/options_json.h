#pragma once
#include "formats/json/json.h"
#include "formats/json/json_writer.h"
#include "qdq/observer.h"

namespace qdq {

// The options of an observer as a JSON object: the fields that are set, under their names in observer.h.
void write_options(json::Writer& writer, const ObserverOptions& options);
// Throws json::Error for an unknown field or a value of the wrong kind.
ObserverOptions read_options(json::Element element);

}  // namespace qdq
