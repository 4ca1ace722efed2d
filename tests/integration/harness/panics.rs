//! Panics of the platform that no test provoked.

use std::sync::{Mutex, Once};

static FOUND: Mutex<Vec<String>> = Mutex::new(Vec::new());
static WATCH: Once = Once::new();

/// Notes panics in the product's own code from now on, but for those that a test asked for.
pub(crate) fn watch() {
    WATCH.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let provoked = info.payload().downcast_ref::<&str>() == Some(&"provoked");
            let ours = info
                .location()
                .is_some_and(|place| place.file().starts_with("src/"));
            if ours && !provoked {
                FOUND
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .push(info.to_string());
            }
            if !provoked {
                before(info);
            }
        }));
    });
}

/// Those that were found in this process.
pub(crate) fn found() -> Vec<String> {
    FOUND
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .clone()
}
