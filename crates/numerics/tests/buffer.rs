//! Memory for large arrays: what it holds, where it begins, and that it is given back as it was taken.
#![allow(unsafe_code, reason = "an allocator that checks")]

use longlag_numerics::Buffer;
use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Debug;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// The allocations aligned to cache lines or more, as those of buffers are, that have not been given back.
static TAKEN: Mutex<[Option<(usize, Layout)>; 64]> = Mutex::new([None; 64]);
/// How many of them were given back with another layout, which an allocator needn't cope with.
static CONFUSED: AtomicUsize = AtomicUsize::new(0);

fn is_taken(address: usize) -> bool {
    TAKEN.lock().unwrap().iter().flatten().any(|taken| taken.0 == address)
}

struct Checking;

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Checking {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let p = unsafe { System.alloc(layout) };
        if layout.align() >= 64
            && let Some(free) = TAKEN.lock().unwrap().iter_mut().find(|taken| taken.is_none())
        {
            *free = Some((p.addr(), layout));
        }
        p
    }
    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        let mut all = TAKEN.lock().unwrap();
        let found = all.iter_mut().find(|taken| taken.is_some_and(|(at, _)| at == p.addr()));
        if found.and_then(Option::take).is_some_and(|(_, as_taken)| as_taken != layout) {
            CONFUSED.fetch_add(1, SeqCst);
        }
        drop(all);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(p, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Checking = Checking;

/// Resizes one buffer through all lengths, beside a vector that does the same; then drops it.
fn check<T: Copy + PartialEq + Debug>(lengths: &[usize], value: impl Fn(usize) -> T) {
    let (mut buffer, mut want) = (Buffer::<T>::new(), Vec::new());
    let mut seen = Vec::new();
    for (i, &len) in lengths.iter().enumerate() {
        let before = (buffer.as_ptr().addr(), buffer.len());
        buffer.resize(len, value(i));
        want.resize(len, value(i));
        assert!(buffer[..] == want[..], "{lengths:?}, of {} bytes: another content at {len}", size_of::<T>());
        if len == 0 {
            continue;
        }
        let at = buffer.as_ptr().addr();
        assert!(at.is_multiple_of(64), "{len}: at {at:#x}");
        assert!(len > before.1 || at == before.0, "moved to become shorter");
        // Written in place from now on.
        let last = len - 1;
        buffer[last] = value(i + 100);
        want[last] = value(i + 100);
        seen.push(at);
    }
    let at = buffer.as_ptr().addr();
    assert!(seen.is_empty() || is_taken(at), "the allocator doesn't see buffers");
    drop(buffer);
    assert!(!seen.into_iter().any(is_taken), "{lengths:?}: not given back");
}

// One test, alone in its program: another thread's memory could lie where a buffer's was.
#[test]
fn a_buffer_holds_what_it_is_given_and_gives_back_what_it_took() {
    assert!(Buffer::<f32>::new().is_empty());
    for lengths in [&[][..], &[0], &[1], &[0, 1, 0, 2, 16, 17, 3, 40, 0, 1000, 999, 1001, 20]] {
        check(lengths, |i| i as f32);
        check(lengths, |i| i as f64);
        check(lengths, |i| i as u8);
        check(lengths, |i| [i as u8; 3]);
        check(lengths, |i| [i; 9]);
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[repr(align(64))]
        struct Line(usize);
        check(lengths, Line);
    }
    // On both sides of where memory comes in larger pieces, wherever that may be.
    for mib in [1, 2, 4, 8, 16, 32] {
        let bytes: usize = mib << 20;
        for below in [0, 1, 15, 16, 17] {
            check(&[bytes / 4 - below], |i| i as f32);
            check(&[bytes / 8 - below], |i| i as f64);
            check(&[bytes / 72 - below], |i| [i; 9]);
        }
        check(&[7, bytes / 4 + 1, bytes / 8, bytes / 4 + 3], |i| i as f32);
        check(&[bytes / 3, bytes / 3 + 1], |i| [i as u8; 3]);
    }
    assert_eq!(CONFUSED.load(SeqCst), 0, "given back with another layout than taken with");

    // More than there is.
    for len in [usize::MAX, usize::MAX / 4, usize::MAX / 8] {
        let refused = catch_unwind(|| Buffer::new().resize(len, 1.0_f32)).unwrap_err();
        let message = refused.downcast_ref::<String>().expect("a message");
        assert!(message.contains("than there are addresses"), "{message}");
    }

    // To another thread, where it is dropped.
    let mut buffer = Buffer::new();
    buffer.resize(100, 1_u64);
    let at = buffer.as_ptr().addr();
    assert!(is_taken(at));
    std::thread::spawn(move || assert_eq!(buffer.iter().sum::<u64>(), 100)).join().unwrap();
    assert!(!is_taken(at));
}
