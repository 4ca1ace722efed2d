//! How the test phone behaves, by the number that was dialled.

use std::time::Duration;

use crate::phone::{Answer, Behaviour, Press, Record, Say, When};

/// The first party of the tour.
pub const FIRST_PARTY: &str = "+447700900123";
/// Who is reached by key 1 of the menu.
pub const B_PARTY: &str = "+447700900200";

/// The phone rings for so long.
const RING: Duration = Duration::from_secs(1);
/// The first party's whole call, from its answer on.
const VISIT: Duration = Duration::from_secs(14);

/// By the last three digits: 400 to 699 refuse the call with that SIP status, except 408, which
/// rings for ever; 100 to 199 press 1 when the menu has been heard, speak 600 Hz and hang up after
/// 14 s; all others speak 800 Hz until the far end hangs up.
pub fn manners(dialled: &str) -> Behaviour {
    let digits: String = dialled.chars().filter(char::is_ascii_digit).collect();
    let ending = digits
        .len()
        .checked_sub(3)
        .and_then(|at| digits.get(at..)?.parse::<u16>().ok());
    let answered = Behaviour {
        answer: Answer::After(RING),
        ..Behaviour::default()
    };
    match ending {
        Some(408) => Behaviour {
            answer: Answer::Never,
            ..answered
        },
        Some(status @ 400..=699) => Behaviour {
            answer: Answer::Refuse(status),
            ..answered
        },
        Some(100..=199) => Behaviour {
            press: vec![Press {
                keys: "1".into(),
                when: When::Pause,
            }],
            say: Say::Tone(600),
            hang_up_after: Some(VISIT),
            record: Record::Nothing,
            ..answered
        },
        Some(_) | None => Behaviour {
            say: Say::Tone(800),
            ..answered
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_three_digits_decide() {
        let answer = |dialled: &str| manners(dialled).answer;
        assert_eq!(answer("+447700900486"), Answer::Refuse(486));
        assert_eq!(answer("+447700900603"), Answer::Refuse(603));
        assert_eq!(answer("+447700900408"), Answer::Never);
        for dialled in [FIRST_PARTY, B_PARTY, "", "12", "bob"] {
            assert_eq!(answer(dialled), Answer::After(RING), "{dialled}");
        }
        assert_eq!(manners(FIRST_PARTY).say, Say::Tone(600));
        assert_eq!(manners(B_PARTY).say, Say::Tone(800));
        assert_eq!(manners(B_PARTY).hang_up_after, None);
    }
}
