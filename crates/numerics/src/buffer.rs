//! Memory for large arrays.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

const CACHE_LINE: usize = 64;
const HUGE_PAGE: usize = 2 << 20;
/// From this size on memory is a whole number of huge pages, of which little is then wasted.
const LARGE: usize = 8 * HUGE_PAGE;

/// A growing array whose first element begins a cache line, and that lies in huge pages where it is large and
/// the system has them: a walk through a hundred megabytes in pages of 4 KiB spends its time on addresses.
///
/// It dereferences to a slice.
#[derive(Debug)]
pub struct Buffer<T> {
    first: NonNull<T>,
    len: usize,
    /// Of the memory; none while there is none.
    layout: Option<Layout>,
}

#[allow(unsafe_code)]
// SAFETY: it owns its elements, as a `Vec` does.
unsafe impl<T: Send> Send for Buffer<T> {}
#[allow(unsafe_code)]
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Buffer<T> {}

impl<T> Default for Buffer<T> {
    fn default() -> Self {
        Buffer { first: NonNull::dangling(), len: 0, layout: None }
    }
}

impl<T: Copy> Buffer<T> {
    /// An empty buffer.
    pub fn new() -> Self {
        Buffer::default()
    }

    /// Makes it `len` elements long. What it held up to there stays, what is new is `value`.
    #[allow(unsafe_code)]
    pub fn resize(&mut self, len: usize, value: T) {
        const { assert!(size_of::<T>() > 0 && align_of::<T>() <= CACHE_LINE) }
        if len > self.layout.map_or(0, |layout| layout.size() / size_of::<T>()) {
            let layout = Buffer::<T>::layout(len);
            // SAFETY: the layout is not empty, for len > 0.
            let first = unsafe { alloc(layout) };
            let Some(first) = NonNull::new(first.cast::<T>()) else { handle_alloc_error(layout) };
            advise(first.as_ptr().cast(), layout.size());
            // SAFETY: both have room for what was held, and the new is no part of the old.
            unsafe { first.copy_from_nonoverlapping(self.first, self.len) };
            self.release();
            (self.first, self.layout) = (first, Some(layout));
        }
        for i in self.len..len {
            // SAFETY: the memory has room for len elements.
            unsafe { self.first.add(i).write(value) };
        }
        self.len = len;
    }
}

impl<T> Buffer<T> {
    fn layout(len: usize) -> Layout {
        let bytes = len.checked_mul(size_of::<T>()).expect("more elements than there are addresses");
        let unit = if bytes >= LARGE { HUGE_PAGE } else { CACHE_LINE };
        let whole = bytes.checked_next_multiple_of(unit).expect("more bytes than there are addresses");
        Layout::from_size_align(whole, unit).expect("more bytes than there are addresses")
    }
    #[allow(unsafe_code)]
    fn release(&mut self) {
        if let Some(layout) = self.layout {
            // SAFETY: `resize` allocated with this layout.
            unsafe { dealloc(self.first.as_ptr().cast(), layout) }
        }
    }
}

/// Asks for huge pages.
fn advise(first: *mut u8, bytes: usize) {
    #[cfg(target_os = "linux")]
    if bytes >= LARGE {
        #[allow(unsafe_code)]
        unsafe extern "C" {
            fn madvise(address: *mut u8, length: usize, advice: i32) -> i32;
        }
        const MADV_HUGEPAGE: i32 = 14;
        #[allow(unsafe_code)]
        // SAFETY: the pages are whole and ours; the advice changes no content, and may be refused.
        unsafe {
            madvise(first, bytes, MADV_HUGEPAGE)
        };
    }
    let _ = (first, bytes);
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        self.release();
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];
    #[allow(unsafe_code)]
    fn deref(&self) -> &[T] {
        // SAFETY: `resize` has written the first `len` elements.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for Buffer<T> {
    #[allow(unsafe_code)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.first.as_ptr(), self.len) }
    }
}
