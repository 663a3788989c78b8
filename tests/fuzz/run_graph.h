#pragma once

#include "ir/graph.h"

namespace octet::fuzz {

// Runs a valid graph on two images, with scalar kernels and with the best ones of this CPU, unless
// that is much work. Throws Finding if the logits differ.
void run_on_two_isas(const ir::Graph& graph);

// Whether running it takes milliseconds.
bool is_little_work(const ir::Graph& graph);

// Bytes of all values of a graph and multiply-accumulates of its nodes, for one image: what a run
// takes, roughly.
double work_of(const ir::Graph& graph);

}  // namespace octet::fuzz
