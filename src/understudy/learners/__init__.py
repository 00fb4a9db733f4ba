"""Update rules, one page each."""
