#pragma once

#include <iostream>

#include "base/parallel.h"
#include "base/processors.h"

namespace octet {

// Says on stderr that threads outnumber the processors: they then wait for one another, and a run
// may take many times as long. Results are the same.
inline void note_many_threads() {
  const int threads = num_threads(), processors = available_processors();
  if (threads <= processors) return;
  std::cerr << "note: " << threads << " threads share " << processors
            << (processors == 1 ? " processor" : " processors")
            << "; as many threads as processors are fastest\n";
}

}  // namespace octet
