;; It exports something, and no `wasi:cli/run`. What would trap is never instantiated.
(component
  (core module $main (func $traps (unreachable)) (start $traps) (func (export "go") (unreachable)))
  (core instance $main (instantiate $main))
  (func (export "go") (canon lift (core func $main "go")))
)
