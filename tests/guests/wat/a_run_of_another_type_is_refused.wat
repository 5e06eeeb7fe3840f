;; Its `run` takes a number, and answers one. It would trap if it was called.
(component
  (core module $main (func (export "run") (param i32) (result i32) (unreachable)))
  (core instance $main (instantiate $main))
  (func $run (param "number" u32) (result u32) (canon lift (core func $main "run")))
  (instance $run' (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run'))
)
