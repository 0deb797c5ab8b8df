extension PluginTemplate {
  /// The same pass in C, C++ and Rust as JSON: what it says about itself.
  private var description: [String] {
    [
      #"{"#,
      #"  "name": "\#(name.kebab)","#,
      #"  "summary": "Put channels of sites in reverse order.","#,
      #"  "options": ["#,
      #"    {"key": "sites", "type": "patterns", "default": ["*"],"#,
      #"     "help": "Sites to reverse, by role or name; * and ? as in globs."}"#,
      #"  ],"#,
      #"  "preserves_function": true,"#,
      #"  "counters": [{"name": "reversed", "help": "Sites that were reversed."}]"#,
      #"}"#,
    ]
  }

  /// The pass in what C and C++ have in common.
  var cPass: String {
    let quoted = description.map { line in
      "    \"" + line.replacing("\"", with: "\\\"") + "\\n\""
    }.joined(separator: "\n")
    return """
      /* Puts the channels of sites in reverse order.

         Exact: weights before and after a site change places with the channels, and no number changes. Change it into what you want to
         do; irc checks after each run that the network computes what it did, as long as 'preserves_function' is true. */
      #include <irc_plugin.h>

      #include <stdlib.h>

      static const char description[] =
      \(quoted);

      static int32_t reverse(const irc_host *host, irc_call *call, size_t index) {
        irc_site site;
        site.struct_size = sizeof site;
        if (host->site(call, index, &site) != IRC_OK) return IRC_FAILED;
        if (site.online > 0 || (site.admits & IRC_ADMITS_PERMUTATION) == 0) return IRC_OK;
        size_t *order = (size_t *)malloc(site.width * sizeof(size_t));
        if (order == NULL) return host->fail(call, "there is not enough memory", NULL);
        /* Channels stay in their block. */
        const size_t size = site.width / site.blocks;
        for (size_t j = 0; j < site.width; j++) order[j] = j / size * size + (size - 1 - j % size);
        int32_t status = host->apply_permutation(call, index, order, site.width, 0);
        free(order);
        return status == IRC_OK ? host->count(call, "reversed", 1) : status;
      }

      static int32_t run(const irc_host *host, irc_call *call) {
        size_t count = 0;
        if (host->find_sites(call, IRC_PERMUTING, "sites", &count) != IRC_OK) return IRC_FAILED;
        for (size_t index = 0; index < count; index++) {
          if (reverse(host, call, index) != IRC_OK) return IRC_FAILED;
        }
        return IRC_OK;
      }

      static const irc_pass pass = {IRC_PASS_HEAD, description, NULL, run};

      IRC_C_PLUGIN(&pass)

      """
  }

  /// The pass in Rust.
  var rustPass: String {
    """
    //! Puts the channels of sites in reverse order.
    //!
    //! Exact: weights before and after a site change places with the channels, and no number changes. Change it into what you want to
    //! do; irc checks after each run that the network computes what it did, as long as 'preserves_function' is true.

    mod irc_plugin;

    use irc_plugin::*;

    const DESCRIPTION: &std::ffi::CStr = cr#"\(description.joined(separator: "\n"))"#;

    /// A function of irc has failed, and irc knows why.
    struct Failed;

    fn check(status: i32) -> Result<(), Failed> {
        if status == OK { Ok(()) } else { Err(Failed) }
    }

    unsafe fn work(host: &Host, call: Call) -> Result<(), Failed> {
        let mut count = 0;
        check((host.find_sites)(call, PERMUTING, c"sites".as_ptr(), &mut count))?;
        for index in 0..count {
            let mut site: Site = empty();
            check((host.site)(call, index, &mut site))?;
            if site.online > 0 || site.admits & ADMITS_PERMUTATION == 0 {
                continue;
            }
            // Channels stay in their block.
            let size = site.width / site.blocks;
            let order: Vec<usize> =
                (0..site.width).map(|j| j / size * size + (size - 1 - j % size)).collect();
            check((host.apply_permutation)(call, index, order.as_ptr(), order.len(), 0))?;
            check((host.count)(call, c"reversed".as_ptr(), 1))?;
        }
        Ok(())
    }

    unsafe extern "C" fn run(host: *const Host, call: Call) -> i32 {
        match work(&*host, call) {
            Ok(()) => OK,
            Err(Failed) => FAILED,
        }
    }

    static PASS: Pass = Pass::new(DESCRIPTION, run);

    plugin!(&PASS);

    """
  }

  /// How long the plugin lasts, and where its interface is described, in C, C++ and Rust.
  static let cLifetime = """
    The plugin works with every irc that knows its version of the interface. The interface is described in `irc_plugin.h` and in the page "The
    plugin interface" of irc.
    """

  static let cBefore = """
    // Two layers with an activation function between them, whose channels may change places.
    irc.graph @"before" {stage = "float"} {
      %0 = input "ids" : i32[tokens]
      %1 = generated {shape = [16, 8], values = random(1, 0.5)} : f32[16, 8]
      %2 = embedding %0, %1 : f32[tokens, 8]
      %3 = generated {shape = [4, 8], values = random(2, 0.5)} : f32[4, 8]
      %4 = linear %2, %3 : f32[tokens, 4]
      %5 = silu %4 : f32[tokens, 4]
      %6 = generated {shape = [16, 4], values = random(3, 0.5)} : f32[16, 4]
      %7 = linear %5, %6 : f32[tokens, 16]
      output "logits" = %7
    }

    """

  var cAfter: String {
    """
    irc.graph @"before" {stage = "float"} {
      %0 = param "\(name.kebab)/activation/linear/order" {shape = [4], stored = i32} : i32[4]  loc(pass("\(name.kebab)", unknown))
      %1 = param "\(name.kebab)/low-rank/embedding/order" {shape = [8], stored = i32} : i32[8]  loc(pass("\(name.kebab)", unknown))
      %2 = input "ids" : i32[tokens]
      %3 = generated {shape = [16, 8], values = random(1, 0.5)} : f32[16, 8]
      %4 = channel_gather %3, %1 {axis = 1} : f32[16, 8]  loc(pass("\(name.kebab)", unknown))
      %5 = embedding %2, %4 : f32[tokens, 8]
      %6 = generated {shape = [4, 8], values = random(2, 0.5)} : f32[4, 8]
      %7 = channel_gather %6, %1 {axis = 1} : f32[4, 8]  loc(pass("\(name.kebab)", unknown))
      %8 = channel_gather %7, %0 {axis = 0} : f32[4, 8]  loc(pass("\(name.kebab)", pass("\(name.kebab)", unknown)))
      %9 = linear %5, %8 : f32[tokens, 4]
      %10 = silu %9 : f32[tokens, 4]
      %11 = generated {shape = [16, 4], values = random(3, 0.5)} : f32[16, 4]
      %12 = channel_gather %11, %0 {axis = 1} : f32[16, 4]  loc(pass("\(name.kebab)", unknown))
      %13 = linear %10, %12 : f32[tokens, 16]
      output "logits" = %13
    }

    """
  }
}
