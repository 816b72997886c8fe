//! An emulator of Azure OpenAI's rate limits, as a library and as a binary.
