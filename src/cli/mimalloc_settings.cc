// How the programs use mimalloc; compiled into those that are linked with it.
#include <mimalloc.h>

namespace {

// Freed pages go back to the system at once and not after 25 ms: activations and weights are large, come and go by the layer,
// and a ResNet-50 is quantized in 160 MB instead of 360. It costs a few percent of time in the smallest networks.
[[maybe_unused]] const bool frees_at_once = (mi_option_set(mi_option_decommit_delay, 0), true);

}  // namespace
