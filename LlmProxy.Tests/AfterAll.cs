using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests;

/// <summary>Ends what tests have shared.</summary>
[SetUpFixture]
internal sealed class AfterAll
{
    [OneTimeTearDown]
    public void EndShared() => PostgresServer.EndShared();
}
