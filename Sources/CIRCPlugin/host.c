#define _GNU_SOURCE
#include "irc_plugin_host.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

#ifdef __linux__
#include <elf.h>
#include <link.h>
#endif

/* Whether bytes that begin with the mark can be a table; the mark alone also stands in this program. */
static bool is_table(const irc_plugin_table *table) {
  return table->struct_size >= IRC_PLUGIN_HEAD_SIZE && table->struct_size <= 1u << 16 &&
         memchr(table->compiler, '\0', sizeof table->compiler) != NULL &&
         memchr(table->kit, '\0', sizeof table->kit) != NULL;
}

bool irc_plugin_find_table(const void *bytes, size_t count, irc_plugin_table *table) {
  static const char mark[sizeof table->mark] = IRC_PLUGIN_MARK;
  memset(table, 0, sizeof *table);
  if (count < IRC_PLUGIN_HEAD_SIZE) return false;
  const char *start = bytes;
  const char *const end = start + (count - IRC_PLUGIN_HEAD_SIZE);
  while (start <= end) {
    const char *found = memchr(start, mark[0], (size_t)(end - start) + 1);
    if (found == NULL) return false;
    if (memcmp(found, mark, sizeof mark) == 0) {
      memcpy(table, found, IRC_PLUGIN_HEAD_SIZE);
      if (is_table(table)) return true;
    }
    start = found + 1;
  }
  return false;
}

const char *irc_plugin_host_compiler(void) { return __VERSION__; }

#ifdef __linux__

/* Looks for the build ID among the notes of one object; the first object is the program. */
static int read_build_id(struct dl_phdr_info *info, size_t size, void *result) {
  (void)size;
  char *text = result;
  for (int index = 0; index < info->dlpi_phnum; index++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[index];
    if (header->p_type != PT_NOTE) continue;
    const size_t alignment = header->p_align < 8 ? 4 : 8;
    const char *const notes = (const char *)(info->dlpi_addr + header->p_vaddr);
    size_t offset = 0;
    while (offset + sizeof(ElfW(Nhdr)) <= header->p_memsz) {
      const ElfW(Nhdr) *note = (const void *)(notes + offset);
      const size_t name = offset + sizeof *note;
      const size_t content = (name + note->n_namesz + alignment - 1) / alignment * alignment;
      if (content + note->n_descsz > header->p_memsz) break;
      if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
          memcmp(notes + name, "GNU", 4) == 0) {
        const size_t count = note->n_descsz < 31 ? note->n_descsz : 31;
        for (size_t byte = 0; byte < count; byte++) {
          const unsigned char value = (unsigned char)notes[content + byte];
          text[2 * byte] = "0123456789abcdef"[value >> 4];
          text[2 * byte + 1] = "0123456789abcdef"[value & 15];
        }
        text[2 * count] = '\0';
        return 1;
      }
      offset = (content + note->n_descsz + alignment - 1) / alignment * alignment;
    }
  }
  return 1;
}

#endif

void irc_plugin_host_fingerprint(char text[64]) {
  text[0] = '\0';
#ifdef __linux__
  dl_iterate_phdr(read_build_id, text);
#endif
}

irc_plugin_host_state irc_plugin_check_host(void) {
  Dl_info own, swift;
  void *const function = dlsym(RTLD_DEFAULT, "irc_plugin_check_host");
  if (function == NULL || dladdr(function, &own) == 0) return IRC_PLUGIN_HOST_HIDES_SYMBOLS;
  void *const runtime = dlsym(RTLD_DEFAULT, "swift_retain");
  if (runtime == NULL || dladdr(runtime, &swift) == 0 || swift.dli_fbase == own.dli_fbase) {
    return IRC_PLUGIN_HOST_OWNS_SWIFT;
  }
  char fingerprint[64];
  irc_plugin_host_fingerprint(fingerprint);
  return fingerprint[0] == '\0' ? IRC_PLUGIN_HOST_HAS_NO_BUILD_ID : IRC_PLUGIN_HOST_READY;
}
