using System.Reflection;
using System.Runtime.CompilerServices;
using Ledger.Domain.Accounts;

namespace Ledger.Domain.Tests;

/// <summary>Rules of the house that nobody has to remember.</summary>
public class HouseRulesTests
{
    private const BindingFlags All =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Type[] Types =
    [
        .. typeof(Account)
            .Assembly.GetTypes()
            .Where(type =>
                !type.IsDefined(typeof(CompilerGeneratedAttribute)) && type.FullName!.StartsWith("Ledger.", StringComparison.Ordinal)
            ),
    ];

    private static IEnumerable<Type> Public => Types.Where(type => type.IsVisible);

    [Fact]
    public void Every_public_type_is_sealed_abstract_static_or_a_readonly_record_struct() =>
        Public
            .Where(type =>
                type is { IsSealed: false, IsAbstract: false } || (type.IsValueType && !type.IsEnum && !IsReadOnlyRecordStruct(type))
            )
            .ShouldBeEmpty();

    [Fact]
    public void No_number_is_a_fraction_in_binary_or_a_decimal()
    {
        Type[] banned = [typeof(decimal), typeof(double), typeof(float), typeof(Half)];
        bool Banned(Type type) =>
            banned.Contains(type)
            || (type.HasElementType && Banned(type.GetElementType()!))
            || (type.IsGenericType && type.GetGenericArguments().Any(Banned));

        Types.SelectMany(type => type.GetFields(All)).Where(field => Banned(field.FieldType)).ShouldBeEmpty();
        Types.SelectMany(type => type.GetProperties(All)).Where(property => Banned(property.PropertyType)).ShouldBeEmpty();
        Types
            .SelectMany(type => type.GetMethods(All))
            .Where(method => Banned(method.ReturnType) || method.GetParameters().Any(parameter => Banned(parameter.ParameterType)))
            .ShouldBeEmpty();
    }

    [Fact]
    public void Nothing_converts_by_itself() =>
        Types.SelectMany(type => type.GetMethods(All)).Where(method => method.Name is "op_Implicit" or "op_Explicit").ShouldBeEmpty();

    [Fact]
    public void The_domain_needs_nothing_but_the_framework() =>
        typeof(Account)
            .Assembly.GetReferencedAssemblies()
            .ShouldAllBe(assembly => assembly.Name!.StartsWith("System.", StringComparison.Ordinal));

    [Fact]
    public void Nothing_can_be_changed_after_it_was_made()
    {
        Public
            .SelectMany(type => type.GetFields(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static))
            .Where(field => field is { IsLiteral: false, IsInitOnly: false, DeclaringType.IsEnum: false })
            .ShouldBeEmpty();
        Public
            .SelectMany(type => type.GetProperties())
            .Where(property =>
                property.DeclaringType!.Assembly == typeof(Account).Assembly && property.SetMethod is { IsPublic: true } set && !IsInit(set)
            )
            .ShouldBeEmpty();
    }

    [Fact]
    public void Only_this_house_can_add_an_event()
    {
        foreach (
            var type in Public.Where(type =>
                type is { IsAbstract: true, IsSealed: false } && type.Name.EndsWith("Event", StringComparison.Ordinal)
            )
        )
            type.GetConstructors(All)
                .Where(constructor => constructor.GetParameters().Length == 0)
                .ShouldAllBe(constructor => constructor.IsFamilyAndAssembly, type.Name);
    }

    [Fact]
    public void No_name_says_what_its_base_says()
    {
        string[] suffixes = ["Command", "Event", "Exception", "Manager", "Helper", "Handler", "Service", "Repository"];
        Public
            .Where(type => !type.IsAbstract && suffixes.Any(suffix => type.Name.EndsWith(suffix, StringComparison.Ordinal)))
            .ShouldBeEmpty();
    }

    private static bool IsReadOnlyRecordStruct(Type type) =>
        type.IsDefined(typeof(IsReadOnlyAttribute)) && type.GetMethod("PrintMembers", All) is not null;

    private static bool IsInit(MethodInfo set) => set.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit));
}
