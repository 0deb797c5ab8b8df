// The text of the kernels, for writing beside a compiled model.
#ifndef IRC_EMBEDDED_H
#define IRC_EMBEDDED_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct irc_embedded_file {
  const char *file_name;  // without a folder: all of them go into one
  const char *text;       // ends with a zero byte that `size` does not count
  size_t size;
} irc_embedded_file;

// The table, of irc_embedded_file_count() entries.
const irc_embedded_file *irc_embedded_files(void);
size_t irc_embedded_file_count(void);

#ifdef __cplusplus
}
#endif
#endif
