using LlmProxy.Core.Accounting;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Stores;

/// <summary>The store that other tests use in place of a database promises the same.</summary>
[TestFixture]
internal sealed class MemoryLedgerTests : LedgerContract
{
    protected override Task<ILedgerStore> OpenAsync() => Task.FromResult<ILedgerStore>(new MemoryLedgerStore());
}
