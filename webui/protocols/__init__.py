"""Other servers' protocols, each a thin layer over `Zoo`: one module and one blueprint per protocol."""
