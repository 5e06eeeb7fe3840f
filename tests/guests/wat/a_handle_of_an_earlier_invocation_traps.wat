    ;; Without a number, opens a cache that it keeps, and answers its handle; with one, reads from that handle.
    (func (export "attack") (param $handle i32) (result i32)
      (if (i32.eqz (local.get $handle)) (then (return (call $opened))))
      (call $get-key (local.get $handle))
      (call $outcome))
