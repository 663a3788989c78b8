#pragma once

#include <string>
#include <string_view>

namespace octet {

// A word as it can be pasted into a shell: quoted where it has spaces or other characters that a
// shell reads for its own. Control characters are written $'\xNN', as bash and zsh read them, so
// that a terminal never obeys a file's name.
std::string shell_quoted(std::string_view word);

}  // namespace octet
