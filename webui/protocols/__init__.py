"""Other servers' protocols, each a thin way to `Zoo.predict_many`: one module, one protocol, one blueprint."""
