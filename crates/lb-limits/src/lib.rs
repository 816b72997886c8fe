//! Sans-IO models of the rate limits of Azure OpenAI deployments.
