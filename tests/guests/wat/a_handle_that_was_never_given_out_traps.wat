    ;; Called with the number of an operation first, and then with a number to use as its handle.
    (global $operation (mut i32) (i32.const -1))
    (func (export "attack") (param $number i32) (result i32)
      (if (i32.eq (global.get $operation) (i32.const -1))
        (then (global.set $operation (local.get $number)) (return (i32.const 0))))
      (call $use (global.get $operation) (local.get $number))
      (i32.const 1))
