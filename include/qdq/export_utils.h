#pragma once

namespace qdq {

class Program;

// Switch a captured program between training and evaluation: dropouts and batch norms get the flag of that mode and keep
// their probability, momentum and eps. Calling one twice is harmless. Both return how many ops changed mode.
int move_exported_model_to_eval(Program& program);
int move_exported_model_to_train(Program& program);

}  // namespace qdq
