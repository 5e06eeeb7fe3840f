    ;; Asks for "key" in UTF-16, or, with a number that is not zero, for half of a surrogate pair. Answers whether
    ;; it found what it had stored under the same key in UTF-8.
    (data (i32.const 1024) "k\00e\00y\00")
    (data (i32.const 1032) "\3d\d8")
    (func (export "attack") (param $number i32) (result i32)
      (local $cache i32)
      (local.set $cache (call $opened))
      (call $set-key (local.get $cache))
      (if (local.get $number)
        (then (call $get-utf16 (local.get $cache) (i32.const 1032) (i32.const 1) (global.get $ANSWER)))
        (else (call $get-utf16 (local.get $cache) (i32.const 1024) (i32.const 3) (global.get $ANSWER))))
      (if (call $outcome) (then (unreachable)))
      (i32.load8_u offset=8 (global.get $ANSWER)))
