//! irc_plugin.h for Rust: the same tables, field by field; the header says what each means.
#![allow(dead_code)]

use std::ffi::{c_char, c_void, CStr};

pub const MAJOR: u32 = 1;
pub const MINOR: u32 = 0;
pub const OK: i32 = 0;
pub const FAILED: i32 = 1;

pub const MIXING: u32 = 1;
pub const SCALING: u32 = 2;
pub const PERMUTING: u32 = 3;

pub const ADMITS_PERMUTATION: u32 = 1;
pub const ADMITS_POSITIVE_DIAGONAL: u32 = 2;
pub const ADMITS_DIAGONAL: u32 = 4;
pub const ADMITS_ROTATION: u32 = 8;
pub const ADMITS_MATRIX: u32 = 16;

pub const ALLOW_ONLINE: u32 = 1;

/// One run of a pass; irc knows what is behind it.
pub type Call = *mut c_void;

#[repr(C)]
pub struct Site {
    pub struct_size: u32,
    pub admits: u32,
    pub name: *const c_char,
    pub role: *const c_char,
    pub group: *const c_char,
    pub width: usize,
    pub blocks: usize,
    pub online: usize,
}

#[repr(C)]
pub struct Statistics {
    pub struct_size: u32,
    pub reserved: u32,
    pub width: usize,
    pub rows: usize,
    pub mean: *const f64,
    pub mean_square: *const f64,
    pub absolute_maximum: *const f64,
    pub blocks: usize,
    pub second_moment: *const f64,
}

#[repr(C)]
pub struct Weight {
    pub struct_size: u32,
    pub has_zeros: u32,
    pub name: *const c_char,
    pub format: *const c_char,
    pub scale_format: *const c_char,
    pub rows: usize,
    pub columns: usize,
    pub scale_rows: usize,
    pub scale_columns: usize,
    pub group: usize,
    pub lowest_code: i32,
    pub highest_code: i32,
    pub values: *const f32,
    pub value_count: usize,
    pub numbers: usize,
}

/// A record that irc fills: all zeros but for its size, which stands first.
pub fn empty<Record>() -> Record {
    unsafe {
        let mut record: Record = std::mem::zeroed();
        *(&mut record as *mut Record as *mut u32) = std::mem::size_of::<Record>() as u32;
        record
    }
}

#[repr(C)]
pub struct Host {
    pub struct_size: u32,
    pub api_major: u32,
    pub api_minor: u32,
    pub reserved: u32,
    pub fail: unsafe extern "C" fn(Call, *const c_char, *const c_char) -> i32,
    pub remark: unsafe extern "C" fn(Call, *const c_char, *const c_char, *const c_char) -> i32,
    pub count: unsafe extern "C" fn(Call, *const c_char, i64) -> i32,
    pub integer: unsafe extern "C" fn(Call, *const c_char, *mut i64) -> i32,
    pub number: unsafe extern "C" fn(Call, *const c_char, *mut f64) -> i32,
    pub flag: unsafe extern "C" fn(Call, *const c_char, *mut i32) -> i32,
    pub text: unsafe extern "C" fn(Call, *const c_char, *mut *const c_char) -> i32,
    pub find_sites: unsafe extern "C" fn(Call, u32, *const c_char, *mut usize) -> i32,
    pub site: unsafe extern "C" fn(Call, usize, *mut Site) -> i32,
    pub site_statistics: unsafe extern "C" fn(Call, usize, *mut Statistics) -> i32,
    pub apply_diagonal: unsafe extern "C" fn(Call, usize, *const f64, usize, u32) -> i32,
    pub apply_permutation: unsafe extern "C" fn(Call, usize, *const usize, usize, u32) -> i32,
    pub apply_rotation: unsafe extern "C" fn(Call, usize, *const f64, usize, usize, u32) -> i32,
    pub apply_matrices: unsafe extern "C" fn(Call, usize, *const f64, usize, usize, u32) -> i32,
    pub find_weights: unsafe extern "C" fn(Call, *const c_char, *mut usize) -> i32,
    pub weight: unsafe extern "C" fn(Call, usize, *mut Weight) -> i32,
    pub read_weight: unsafe extern "C" fn(Call, usize, *mut f32, usize) -> i32,
    pub read_scales: unsafe extern "C" fn(Call, usize, *mut f32, *mut i8, usize) -> i32,
    pub weight_statistics: unsafe extern "C" fn(Call, usize, *mut Statistics) -> i32,
    pub attach_codes:
        unsafe extern "C" fn(Call, usize, *const i8, usize, *const f32, *const i8, usize) -> i32,
    pub tensor_shape: unsafe extern "C" fn(Call, *const c_char, *mut usize, *mut usize) -> i32,
    pub read_tensor: unsafe extern "C" fn(Call, *const c_char, *mut f32, usize) -> i32,
}

pub type Function = unsafe extern "C" fn(*const Host, Call) -> i32;

#[repr(C)]
pub struct Pass {
    pub struct_size: u32,
    pub api_major: u32,
    pub api_minor: u32,
    pub reserved: u32,
    pub description: *const c_char,
    pub check: Option<Function>,
    pub run: Function,
}

/// A pass and the plugin's list of it are constants, and may be looked at from anywhere.
unsafe impl Sync for Pass {}

impl Pass {
    pub const fn new(description: &'static CStr, run: Function) -> Pass {
        Pass {
            struct_size: std::mem::size_of::<Pass>() as u32,
            api_major: MAJOR,
            api_minor: MINOR,
            reserved: 0,
            description: description.as_ptr(),
            check: None,
            run,
        }
    }
}

#[repr(C)]
pub struct Table {
    mark: [u8; 24],
    struct_size: u32,
    api_major: u32,
    api_minor: u32,
    kind: u32,
    compiler: [u8; 256],
    kit: [u8; 64],
    swift_plugins: *const c_void,
    passes: *const &'static Pass,
    pass_count: usize,
}

unsafe impl Sync for Table {}

impl Table {
    pub const fn new(passes: &'static [&'static Pass]) -> Table {
        let word = *b"irc-plugin-table";
        let mut mark = [0; 24];
        let mut index = 0;
        while index < word.len() {
            mark[index] = word[index];
            index += 1;
        }
        let mut compiler = [0; 256];
        let name = *b"rustc";
        index = 0;
        while index < name.len() {
            compiler[index] = name[index];
            index += 1;
        }
        Table {
            mark,
            struct_size: std::mem::size_of::<Table>() as u32,
            api_major: MAJOR,
            api_minor: MINOR,
            kind: 2,
            compiler,
            kit: [0; 64],
            swift_plugins: std::ptr::null(),
            passes: passes.as_ptr(),
            pass_count: passes.len(),
        }
    }
}

/// Exports the plugin's passes: plugin!(&FIRST, &SECOND);
#[macro_export]
macro_rules! plugin {
    ($($pass:expr),+) => {
        static IRC_PASSES: &[&$crate::irc_plugin::Pass] = &[$($pass),+];
        static IRC_TABLE: $crate::irc_plugin::Table = $crate::irc_plugin::Table::new(IRC_PASSES);

        #[no_mangle]
        pub extern "C" fn irc_plugin_query(
            _major: u32, _minor: u32,
        ) -> *const $crate::irc_plugin::Table {
            &IRC_TABLE
        }
    };
}
