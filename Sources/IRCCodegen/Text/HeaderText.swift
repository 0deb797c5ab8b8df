/// The header that users of the library include.
struct HeaderText {
  let names: ArtifactNames
  let vocabulary: Int
  /// Token ids below this are rows of every embedding table.
  let tokenLimit: Int
  /// Tokens of a context by default; nil if there is no limit.
  let contextLength: Int?
  let options: CEmitter.Options
  let kernels: KernelChoice

  var text: String {
    let (s, m) = (names.symbol, names.macro)
    let limit =
      contextLength.map {
        "Tokens that a context has room for unless the caller says otherwise: \($0)."
      } ?? "0: a sequence may have any number of tokens."
    return """
      // A compiled language model: \(commentText(names.stem)). C11, POSIX; needs nothing but libm\(threadsNeeded).
      // Kernels: \(kernels.summary).
      //
      // All memory is the caller's: nothing allocates, and there are no globals. Contexts are independent of each
      // other, so each thread may have its own; the weights file is mapped read-only and its pages are shared.
      #ifndef \(m)_H
      #define \(m)_H

      #include <stddef.h>
      #include <stdint.h>

      #ifdef __cplusplus
      extern "C" {
      #endif

      enum {
        \(m)_VOCABULARY = \(vocabulary),  // logits of a token
        \(m)_TOKEN_IDS = \(tokenLimit),  // token ids are 0 ..< this
        \(m)_CONTEXT = \(contextLength ?? 0),  // \(limit)
        \(m)_CHUNK = \(options.chunk),  // tokens of a prompt that run together
        \(m)_MOST_THREADS = \(options.threadRoom),  // that a context has room for
        \(m)_ALIGNMENT = 64  // of the memory of a context
      };

      typedef enum \(s)_status {
        \(m)_OK = 0,
        \(m)_BAD_ARGUMENT = 1,  // a null pointer, no tokens, or memory that is too small or not aligned
        \(m)_UNREADABLE_FILE = 2,  // the weights cannot be opened or mapped
        \(m)_WRONG_FILE = 3,  // not the weights that were written together with this code
        \(m)_CORRUPT_FILE = 4,  // truncated, or the bytes do not have the checksum
        \(m)_CONTEXT_FULL = 5,  // more tokens than the context has room for
        \(m)_TOKEN_OUT_OF_RANGE = 6,  // a token id that the model does not have
        \(m)_NO_THREADS = 7,  // the system gives no further threads
        \(m)_WRONG_PROCESSOR = 8  // the processor lacks instructions that the library was made for
      } \(s)_status;

      // The status in words, never NULL.
      const char *\(s)_status_text(\(s)_status status);

      // \(m)_VOCABULARY, \(m)_CONTEXT and \(m)_MOST_THREADS, for those who load the library without this header.
      size_t \(s)_vocabulary(void);
      size_t \(s)_context_length(void);
      size_t \(s)_most_threads(void);

      // The name of the kernels that contexts run with on this processor; "none" where it cannot run them.
      const char *\(s)_kernels(void);

      typedef struct \(s)_context \(s)_context;

      // Bytes of memory for a context with room for `max_tokens` tokens, 0 for \(m)_CONTEXT. Returns 0 if that is
      // more than there can be.
      size_t \(s)_context_bytes(size_t max_tokens);

      // Makes a context in `memory`, which must start at a multiple of \(m)_ALIGNMENT, have `bytes` >=
      // \(s)_context_bytes(max_tokens) and outlive the context. Maps the weights and checks that they belong to this
      // code; \(s)_verify checks every byte. On failure *context is NULL and nothing stays open.
      \(s)_status \(s)_create(
        \(s)_context **context, void *memory, size_t bytes, size_t max_tokens, const char *weights_path);

      // Lets `threads` threads compute, 1 ... \(m)_MOST_THREADS, the caller's among them. A context has one until it is
      // told otherwise. Results do not depend on it, bit for bit. On failure the context is as it was.
      \(s)_status \(s)_set_threads(\(s)_context *context, size_t threads);

      // Ends the context's threads and unmaps the weights. The memory is the caller's again. NULL is allowed.
      void \(s)_destroy(\(s)_context *context);

      // Forgets all tokens.
      void \(s)_reset(\(s)_context *context);

      // Tokens that the context has seen since the start or the last reset.
      size_t \(s)_position(const \(s)_context *context);

      // Takes `count` >= 1 tokens. `*logits` is then (\(m)_VOCABULARY), the logits after the last of them, valid until
      // the next call with this context; `logits` may be NULL. Equals calling \(s)_step for each token, bit for bit.
      // On failure the context is as it was.
      \(s)_status \(s)_prefill(
        \(s)_context *context, const int32_t *tokens, size_t count, const float **logits);

      // Takes one token.
      \(s)_status \(s)_step(\(s)_context *context, int32_t token, const float **logits);

      // Takes `count` >= 1 tokens and writes the logits after each: (count, \(m)_VOCABULARY).
      \(s)_status \(s)_score(
        \(s)_context *context, const int32_t *tokens, size_t count, float *logits);

      // Reads the whole weights file and compares its checksum.
      \(s)_status \(s)_verify(const \(s)_context *context);

      #ifdef __cplusplus
      }
      #endif
      #endif

      """
  }

  /// What threads need, as the end of a sentence.
  private var threadsNeeded: String {
    switch options.threads {
    case .none: ""
    case .pool: " and POSIX threads"
    case .openmp: " and OpenMP"
    }
  }
}
