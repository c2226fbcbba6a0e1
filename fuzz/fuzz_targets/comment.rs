//! Comments out of bytes: whatever somebody writes, it is read without a panic, within bounds, and what is understood of
//! it is understood of its lines alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wooo::chatops::{Heard, MAX_COMMANDS, parse};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse(text) {
        Heard::Commands(commands) => {
            assert!(!commands.is_empty() && commands.len() <= MAX_COMMANDS);
            for command in commands {
                assert!(text.contains(&command.line) && command.line.starts_with("/wooo"));
                // A command says the same when it stands alone.
                assert_eq!(parse(&command.line), Heard::Commands(vec![command]));
            }
        }
        Heard::Faults(faults) => assert!(faults.iter().all(|fault| text.contains(&fault.line))),
        Heard::TooMany(count) => assert!(count > MAX_COMMANDS),
        Heard::Nothing => {}
    }
});
