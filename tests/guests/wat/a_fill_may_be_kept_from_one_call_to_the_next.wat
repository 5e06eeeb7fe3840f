    ;; Takes the fill in its first call, and completes it in the next ones: answers what `complete` does.
    (global $fill (mut i32) (i32.const 0))
    (func (export "attack") (param i32) (result i32)
      (if (i32.eqz (global.get $fill))
        (then (global.set $fill (call $vacant (call $opened))) (return (i32.const 7))))
      (call $complete-it (global.get $fill))
      (if (call $outcome) (then (unreachable)))
      (i32.load8_u offset=8 (global.get $ANSWER)))
