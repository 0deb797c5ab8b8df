//! Divides channels by a power of their root mean square, so that they are more alike; the weights around them take the factors up.
//!
//! Exact in real arithmetic: the factors cancel.

#[path = "../../../Sources/CIRCPlugin/include/irc_plugin.rs"]
mod irc_plugin;

use irc_plugin::*;

const DESCRIPTION: &std::ffi::CStr = cr#"{
  "name": "even-channels",
  "summary": "Divide channels by a power of their root mean square.",
  "options": [
    {"key": "sites", "type": "patterns", "default": ["norm", "activation", "scan"],
     "help": "Sites to even out, by role or name; * and ? as in globs."},
    {"key": "alpha", "type": "number", "default": 0.5, "minimum": 0, "maximum": 1,
     "help": "The power."}
  ],
  "preserves_function": true,
  "calibration": ["mean-square"],
  "counters": [{"name": "evened", "help": "Sites whose channels were divided."}]
}"#;

/// A function of irc has failed, and irc knows why.
struct Failed;

fn check(status: i32) -> Result<(), Failed> {
    if status == OK { Ok(()) } else { Err(Failed) }
}

/// Factors whose geometric mean is 1; channels that are always zero keep theirs.
fn factors(mean_squares: &[f64], alpha: f64) -> Vec<f64> {
    let logs: Vec<f64> =
        mean_squares.iter().map(|&m| if m > 0.0 { -0.5 * alpha * m.ln() } else { 0.0 }).collect();
    let used = mean_squares.iter().filter(|&&m| m > 0.0).count().max(1);
    let mean = logs.iter().sum::<f64>() / used as f64;
    mean_squares
        .iter()
        .zip(&logs)
        .map(|(&m, log)| if m > 0.0 { (log - mean).clamp(-7.0, 7.0).exp() } else { 1.0 })
        .collect()
}

unsafe fn work(host: &Host, call: Call) -> Result<(), Failed> {
    let mut alpha = 0.0;
    check((host.number)(call, c"alpha".as_ptr(), &mut alpha))?;
    let mut count = 0;
    check((host.find_sites)(call, SCALING, c"sites".as_ptr(), &mut count))?;
    for index in 0..count {
        let mut site: Site = empty();
        check((host.site)(call, index, &mut site))?;
        if site.online > 0 || site.admits & ADMITS_POSITIVE_DIAGONAL == 0 {
            continue;
        }
        let mut statistics: Statistics = empty();
        check((host.site_statistics)(call, index, &mut statistics))?;
        let squares = std::slice::from_raw_parts(statistics.mean_square, statistics.width);
        let factors = factors(squares, alpha);
        check((host.apply_diagonal)(call, index, factors.as_ptr(), factors.len(), 0))?;
        check((host.count)(call, c"evened".as_ptr(), 1))?;
    }
    Ok(())
}

unsafe extern "C" fn run(host: *const Host, call: Call) -> i32 {
    match work(&*host, call) {
        Ok(()) => OK,
        Err(Failed) => FAILED,
    }
}

static EVEN_CHANNELS: Pass = Pass::new(DESCRIPTION, run);

plugin!(&EVEN_CHANNELS);
