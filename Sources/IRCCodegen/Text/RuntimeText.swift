/// The part of the C file that every model has: the context, the weights file, and the interface.
struct RuntimeText {
  let names: ArtifactNames
  let program: Program
  let options: CEmitter.Options
  let contextLength: Int?
  let kernels: KernelChoice
  let bodyBytes: Int
  let fingerprint: UInt64
  let headBytes: Int
  let teamBytes: Int

  private var s: String { names.symbol }
  private var m: String { names.macro }
  private var grows: Bool { program.cacheBytes > 0 }

  private var hasThreads: Bool { program.hasThreads }
  private var most: String { hasThreads ? " * \(m)_MOST_THREADS" : "" }

  /// Constants and the context.
  var declarations: [String] {
    let room =
      hasThreads
      ? "irc_crew crew;           // the threads, with room of one product and of attention for each"
      : "void *scratch;           // room of one product"
    let scores =
      hasThreads
      ? ""
      : "\n  float *scores;           // (capacity, SCORE_COLUMNS), SCORE_CODES more: room of attention"
    return [
      """
      enum {
        ARENA_BYTES = \(program.arenaBytes),
        STATE_BYTES = \(program.stateBytes),
        SCRATCH_BYTES = \(program.scratchBytes),
        CACHE_BYTES = \(program.cacheBytes),  // that a token adds to the caches
        SCORE_COLUMNS = \(program.scoreColumns),  // floats that a token adds to the scores of attention
        SCORE_CODES = \(program.scoreCodes),  // floats of that room for codes of queries
        HEADER_BYTES = 64,
        TEAM_BYTES = \(teamBytes),
        HEAD_BYTES = \(headBytes)
      };

      struct \(s)_context {
        const irc_kernels *kernels;
        const uint8_t *weights;  // the data of the mapped file
        uint8_t *arena;          // values between operations
        uint8_t *states;         // states of fixed size
        \(room)
        float *logits;           // (\(m)_VOCABULARY)
        uint8_t *cache;          // states with a row for each token, each (capacity, columns)\(scores)
        const uint8_t *file;
        size_t file_bytes;
        size_t max_tokens;
        size_t capacity;  // max_tokens in whole groups of sixteen
        size_t position;  // tokens so far
      };

      """
    ] + (hasShared ? [sharing, ""] : [])
  }

  private var hasShared: Bool {
    program.functions.contains { $0.blocks.contains(where: program.isShared) }
  }

  /// What steps that threads share are called with.
  private var sharing: String {
    """
    // What a function of some steps needs, and the threads that share its tokens.
    struct call {
      const \(s)_context *m;
      const int32_t *ids;
      size_t first;  // of the tokens of the chunk
      float *logits;
    };

    // Lets threads share the tokens of steps that take about so many nanoseconds for each.
    static void share_tokens(
      const struct call *call, irc_task task, size_t tokens, uint64_t nanoseconds) {
      const irc_work work = {task, call, tokens, 1, tokens * nanoseconds};
      IRC_NAME(team_run)(call->m->crew.team, &work);
    }
    """
  }

  /// The address of weights in single precision.
  var floatsAt: String {
    """
    static const float *floats_at(const \(s)_context *m, size_t offset) {
      return (const float *)(const void *)(m->weights + offset);
    }
    """
  }

  /// What the header declares.
  var interface: String {
    [statusText, memory, file, lifetime, threads, tokens].joined(separator: "\n\n")
  }

  private var statusText: String {
    """
    const char *\(s)_status_text(\(s)_status status) {
      switch (status) {
        case \(m)_OK: return "success";
        case \(m)_BAD_ARGUMENT: return "bad argument";
        case \(m)_UNREADABLE_FILE: return "the weights file cannot be read";
        case \(m)_WRONG_FILE: return "the weights file does not belong to this model";
        case \(m)_CORRUPT_FILE: return "the weights file is damaged";
        case \(m)_CONTEXT_FULL: return "the context is full";
        case \(m)_TOKEN_OUT_OF_RANGE: return "a token is not in the vocabulary";
        case \(m)_NO_THREADS: return "the system gives no further threads";
        case \(m)_WRONG_PROCESSOR: return "the processor lacks instructions that the library was made for";
      }
      return "unknown status";
    }

    size_t \(s)_vocabulary(void) { return \(m)_VOCABULARY; }

    size_t \(s)_context_length(void) { return \(m)_CONTEXT; }

    size_t \(s)_most_threads(void) { return \(m)_MOST_THREADS; }

    // NULL where the processor lacks instructions.
    static const irc_kernels *chosen_kernels(void) {
      const irc_kernels *kernels = IRC_NAME(\(kernels.tables[0]))();
    \(kernels.tables.dropFirst().map { "  if (!kernels) kernels = IRC_NAME(\($0))();\n" }.joined())\
      return kernels;
    }

    const char *\(s)_kernels(void) {
      const irc_kernels *kernels = chosen_kernels();
      return kernels ? kernels->name : "none";
    }
    """
  }

  /// The layout of a context, which only its size depends on the number of tokens.
  private var memory: String {
    let fixed = """
      static size_t fixed_bytes(void) {
        size_t logits = ((size_t)\(m)_VOCABULARY * sizeof(float) + 63) / 64 * 64;
        return (size_t)HEAD_BYTES + ARENA_BYTES + STATE_BYTES + (size_t)SCRATCH_BYTES\(most) + logits\(hasThreads ? " + TEAM_BYTES" : "");
      }
      """
    if !grows {
      return fixed + "\n\n" + """
        // No state grows, so the size does not depend on the number of tokens.
        size_t \(s)_context_bytes(size_t max_tokens) {
          (void)max_tokens;
          return fixed_bytes();
        }
        """
    }
    return fixed + "\n\n" + """
      static size_t capacity_of(size_t max_tokens) { return (max_tokens + 15) / 16 * 16; }

      size_t \(s)_context_bytes(size_t max_tokens) {
        const size_t token_bytes = (size_t)CACHE_BYTES + (size_t)SCORE_COLUMNS\(most) * sizeof(float);
        const size_t other_bytes = fixed_bytes() + (size_t)SCORE_CODES\(most) * sizeof(float);
        if (max_tokens == 0) max_tokens = \(m)_CONTEXT;
        if (max_tokens > INT32_MAX - 15) return 0;
        if (capacity_of(max_tokens) > (SIZE_MAX - other_bytes) / token_bytes) return 0;
        return other_bytes + capacity_of(max_tokens) * token_bytes;
      }
      """
  }

  private var file: String {
    """
    // ---- The weights file: a header of 64 bytes, data, a table of what is where, and a checksum of both --------

    static uint64_t load_u64(const uint8_t *bytes) {
      uint64_t value;
      memcpy(&value, bytes, sizeof value);
      return value;
    }

    // Eight lanes over the words of each 64 bytes.
    static uint64_t checksum(const uint8_t *bytes, size_t count) {
      const uint64_t factor = UINT64_C(\(Checksum.factorText));
      uint64_t lane[8];
      for (uint64_t j = 0; j < 8; j++) lane[j] = j;
      for (size_t at = 0; at + 64 <= count; at += 64)
        for (size_t j = 0; j < 8; j++) {
          lane[j] = (lane[j] ^ load_u64(bytes + at + 8 * j)) * factor;
          lane[j] ^= lane[j] >> 32;
        }
      uint64_t sum = count;
      for (size_t j = 0; j < 8; j++) {
        sum = (sum ^ lane[j]) * factor;
        sum ^= sum >> 32;
      }
      return sum;
    }

    static \(s)_status map_weights(\(s)_context *m, const char *path) {
      const uint64_t size = UINT64_C(\(WeightFile.fileBytes(body: bodyBytes)));
      int file = open(path, O_RDONLY | O_CLOEXEC);
      if (file < 0) return \(m)_UNREADABLE_FILE;
      struct stat about;
      void *bytes = MAP_FAILED;
      \(s)_status status = \(m)_UNREADABLE_FILE;
      if (fstat(file, &about) == 0 && S_ISREG(about.st_mode)) {
        status = about.st_size < HEADER_BYTES ? \(m)_WRONG_FILE : \(m)_UNREADABLE_FILE;
        if (about.st_size >= HEADER_BYTES && (uint64_t)about.st_size <= SIZE_MAX)
          bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
      }
      close(file);
      if (bytes == MAP_FAILED) return status;
      const uint8_t *head = (const uint8_t *)bytes;
      m->file = head;
      m->file_bytes = (size_t)about.st_size;
      m->weights = head + HEADER_BYTES;
      if (load_u64(head) != UINT64_C(\(WeightFile.magicText)) || load_u64(head + 8) != \(WeightFile.version) ||
          load_u64(head + 24) != UINT64_C(\(Checksum.hexadecimal(fingerprint))))
        status = \(m)_WRONG_FILE;
      else if (load_u64(head + 16) != size || m->file_bytes != size)
        status = \(m)_CORRUPT_FILE;
      else
        return \(m)_OK;
      munmap(bytes, m->file_bytes);
      return status;
    }

    \(s)_status \(s)_verify(const \(s)_context *m) {
      if (!m) return \(m)_BAD_ARGUMENT;
      const size_t body = m->file_bytes - HEADER_BYTES - 8;
      return checksum(m->weights, body) == load_u64(m->weights + body) ? \(m)_OK : \(m)_CORRUPT_FILE;
    }
    """
  }

  private var lifetime: String {
    let limit =
      grows
      ? "  m->max_tokens = max_tokens == 0 ? (size_t)\(m)_CONTEXT : max_tokens;\n"
        + "  m->capacity = capacity_of(m->max_tokens);"
      : "  m->max_tokens = \(program.helpers.contains(.positions) ? "INT32_MAX" : "SIZE_MAX");\n"
        + "  m->capacity = 0;"
    return """
      // ---- Contexts --------------------------------------------------------------------------------------------

      \(s)_status \(s)_create(
        \(s)_context **context, void *memory, size_t bytes, size_t max_tokens, const char *weights_path) {
        IRC_STATIC_ASSERT(sizeof(\(s)_context) <= HEAD_BYTES, "the context's fields fit their place");
        if (!context) return \(m)_BAD_ARGUMENT;
        *context = NULL;
        const irc_kernels *kernels = chosen_kernels();
        if (!kernels) return \(m)_WRONG_PROCESSOR;
        const size_t needed = \(s)_context_bytes(max_tokens);
        if (!memory || !weights_path || (uintptr_t)memory % \(m)_ALIGNMENT != 0 || needed == 0 || bytes < needed)
          return \(m)_BAD_ARGUMENT;
        \(s)_context *m = (\(s)_context *)memory;
        memset(m, 0, sizeof *m);
        \(s)_status status = map_weights(m, weights_path);
        if (status != \(m)_OK) return status;
        m->kernels = kernels;
        m->arena = (uint8_t *)memory + HEAD_BYTES;
        m->states = m->arena + ARENA_BYTES;
        m->logits = (float *)(void *)(m->states + STATE_BYTES + (size_t)SCRATCH_BYTES\(most));
        m->cache = (uint8_t *)memory + fixed_bytes();
      \(limit)
      \(rooms)
        \(s)_reset(m);
        *context = m;
        return \(m)_OK;
      }

      void \(s)_destroy(\(s)_context *m) {
        if (m && m->file) {
      \(hasThreads ? "    IRC_NAME(team_destroy)(m->crew.team);\n" : "")\
          munmap((void *)(uintptr_t)m->file, m->file_bytes);
          m->file = NULL;
        }
      }

      void \(s)_reset(\(s)_context *m) {
        if (!m) return;
        memset(m->states, 0, STATE_BYTES);
        m->position = 0;
      }

      size_t \(s)_position(const \(s)_context *m) { return m ? m->position : 0; }
      """
  }

  /// Scratch, scores and, where there are threads, their team.
  private var rooms: String {
    guard hasThreads else {
      return """
          m->scratch = m->states + STATE_BYTES;
          m->scores = (float *)(void *)(m->cache + m->capacity * CACHE_BYTES);
        """
    }
    return """
        IRC_STATIC_ASSERT(
          TEAM_BYTES == IRC_TEAM_BYTES + (\(m)_MOST_THREADS - 1) * IRC_WORKER_BYTES, "a team fits its place");
        irc_team *team = IRC_NAME(team_create)(
          (uint8_t *)memory + fixed_bytes() - TEAM_BYTES, \(m)_MOST_THREADS);
        if (!team) {
          munmap((void *)(uintptr_t)m->file, m->file_bytes);
          return \(m)_NO_THREADS;
        }
        m->crew = (irc_crew){
          .team = team, .kernels = kernels, .scratch = m->states + STATE_BYTES,
          .scratch_bytes = SCRATCH_BYTES,
          .scores = (float *)(void *)(m->cache + m->capacity * CACHE_BYTES),
          .scores_count = m->capacity * SCORE_COLUMNS + SCORE_CODES};
      """
  }

  private var threads: String {
    let change =
      hasThreads
      ? "  return IRC_NAME(team_resize)(m->crew.team, threads) ? \(m)_OK : \(m)_NO_THREADS;"
      : "  return \(m)_OK;"
    return """
      \(s)_status \(s)_set_threads(\(s)_context *m, size_t threads) {
        if (!m || threads < 1 || threads > \(m)_MOST_THREADS) return \(m)_BAD_ARGUMENT;
      \(change)
      }
      """
  }

  private var tokens: String {
    """
    // ---- Tokens ----------------------------------------------------------------------------------------------

    static \(s)_status check_tokens(const \(s)_context *m, const int32_t *tokens, size_t count) {
      if (!m || !tokens || count == 0) return \(m)_BAD_ARGUMENT;
      if (count > m->max_tokens - m->position) return \(m)_CONTEXT_FULL;
      for (size_t t = 0; t < count; t++)
        if (tokens[t] < 0 || tokens[t] >= \(m)_TOKEN_IDS) return \(m)_TOKEN_OUT_OF_RANGE;
      return \(m)_OK;
    }

    \(s)_status \(s)_prefill(
      \(s)_context *m, const int32_t *tokens, size_t count, const float **logits) {
      \(s)_status status = check_tokens(m, tokens, count);
      if (status != \(m)_OK) return status;
      size_t chunk = 0;
      for (size_t at = 0; at < count; at += chunk) {
        chunk = count - at < \(m)_CHUNK ? count - at : \(m)_CHUNK;
        run(m, tokens + at, chunk);
      }
      if (logits) {
        finish(m, tokens + count - chunk, chunk - 1, 1, m->logits);
        *logits = m->logits;
      }
      return \(m)_OK;
    }

    \(s)_status \(s)_step(\(s)_context *m, int32_t token, const float **logits) {
      return \(s)_prefill(m, &token, 1, logits);
    }

    \(s)_status \(s)_score(
      \(s)_context *m, const int32_t *tokens, size_t count, float *logits) {
      \(s)_status status = check_tokens(m, tokens, count);
      if (status == \(m)_OK && !logits) status = \(m)_BAD_ARGUMENT;
      if (status != \(m)_OK) return status;
      size_t chunk = 0;
      for (size_t at = 0; at < count; at += chunk) {
        chunk = count - at < \(m)_CHUNK ? count - at : \(m)_CHUNK;
        run(m, tokens + at, chunk);
        finish(m, tokens + at, 0, chunk, logits + at * \(m)_VOCABULARY);
      }
      return \(m)_OK;
    }
    """
  }
}
