using LlmProxy.Core.Accounting;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;
using LlmProxy.Tests.Admission;
using NUnit.Framework;

namespace LlmProxy.Tests.Accounting;

/// <summary>What an account is closed with, whatever happens on the way.</summary>
internal sealed class SettlementTests
{
    [Test]
    public async Task A_request_whose_cost_cannot_be_worked_out_holds_its_place_no_longer()
    {
        await using var books = new Books();
        var admitting = new Admitting();
        Caller caller = Admitting.CallerOf(new KeyOptions { Concurrent = 1 });
        Exchange exchange = books.Accountant.Begin();
        (exchange.IsAdmitted, exchange.IsGenerated, exchange.FirstEvent) = (true, true, 1);
        exchange.Lease = admitting.Enter(caller).Lease;
        exchange.Usage = new Usage(Usage.Most, -1, Usage.Most);
        exchange.Price = new Price(new PriceOptions { Input = decimal.MaxValue, Output = decimal.MaxValue });
        Assert.That(() => books.Accountant.Settle(exchange), Throws.TypeOf<OverflowException>());
        Assert.That(admitting.Reserve(caller), Is.Null);
    }
}
